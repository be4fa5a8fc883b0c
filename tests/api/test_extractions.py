from itertools import chain

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Event
from config.lib.api import pagination
from extraction.models import Extraction
from tests.api import caller
from tests.factories import (
    SENT_AT,
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    ExtractionFactory,
    MessageFactory,
    PhoneNumberFactory,
)
from tests.load import filling

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(user):
    return AgentFactory(phone_number=PhoneNumberFactory(user=user))


def talk(agent):
    return ConversationFactory(agent=agent, customer=CustomerFactory(phone_number=agent.phone_number))


def reading(conversation=None, **changes):
    """One that was asked for by hand, so that a talk may have many."""
    talk = {"conversation": conversation} if conversation else {}
    return ExtractionFactory(trigger="manual", **talk, **changes)


@pytest.fixture
def conversation(agent):
    return talk(agent)


@pytest.fixture
def lead(conversation):
    """A lead with something in every field."""
    return reading(
        conversation=conversation,
        name="Ada",
        email="ada@example.com",
        phone="+12025550123",
        company="Engines",
        intent="bread",
        urgency=1,
        budget=2,
        fit=3,
        engagement=2,
        demo_datetime=SENT_AT,
        demo_source_text="today at noon",
        smart_notification="Ada wants bread.",
        evidence={"email": {"confidence": 0.9, "messages": ["msg_1"]}},
        changed=["email"],
    )


def rows(ask, user, query="") -> list[dict]:
    answer = ask.get(f"/users/{user.user_id}/extractions?{query}")
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]


def listed(ask, user, query="") -> list[str]:
    return [row["extraction_id"] for row in rows(ask, user, query)]


def all_pages(ask, user, query):
    found: list[list[str]] = []
    following = ""
    while following is not None:
        more = f"&cursor={following}" if following else ""
        answer = ask.get(f"/users/{user.user_id}/extractions?{query}{more}").json()
        found.append([row["extraction_id"] for row in answer["data"]])
        following = answer["next_cursor"]
    return found


def moment(at) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class TestListing:
    def test_shows_all_that_is_known_of_a_lead(self, business, user, lead):
        [shown] = rows(business, user)

        talk = lead.conversation
        assert shown == {
            "extraction_id": lead.pk,
            "conversation_id": talk.pk,
            "agent_id": talk.agent_id,
            "phone_number_id": talk.customer.phone_number_id,
            "channel": "whatsapp",
            "customer_phone": talk.customer_phone,
            "customer": {
                "customer_id": talk.customer_id,
                "external_id": None,
                "name": "",
                "username": "",
                "channel": "whatsapp",
                "address": talk.customer.wa_id,
            },
            "status": "succeeded",
            "trigger": "manual",
            "is_current": True,
            "name": "Ada",
            "email": "ada@example.com",
            "phone": "+12025550123",
            "company": "Engines",
            "intent": "bread",
            "urgency": 1,
            "budget": 2,
            "fit": 3,
            "engagement": 2,
            "demo_datetime": "2026-11-22T12:00:00Z",
            "demo_source_text": "today at noon",
            "smart_notification": "Ada wants bread.",
            "notified_at": None,
            "evidence": {"email": {"confidence": 0.9, "messages": ["msg_1"]}},
            "corrected": {},
            "suggestions": {},
            "refused": {},
            "changed": ["email"],
            "reason": "",
            "prompt_id": "",
            "prompt_version": 0,
            "model": "",
            "tokens_used": 0,
            "upto_sequence_no": lead.upto_sequence_no,
            "created_at": shown["created_at"],
            "extracted_at": moment(lead.extracted_at),
        }

    def test_shows_the_leads_and_with_history_every_reading(self, business, user, conversation):
        old = reading(conversation=conversation, is_current=False)
        lead = reading(conversation=conversation)
        empty = reading(conversation=conversation, status="empty")
        waiting = reading(conversation=conversation, status="waiting")

        assert listed(business, user) == [lead.pk]
        assert listed(business, user, "history=false") == [lead.pk]
        assert listed(business, user, "history=true") == [waiting.pk, empty.pk, lead.pk, old.pk]
        assert listed(business, user, "history=true&status=empty") == [empty.pk]
        assert listed(business, user, "status=empty") == []

    def test_is_narrowed_by_each_filter(self, business, user, conversation):
        one = reading(
            conversation=conversation, email="a@example.com", urgency=1, fit=3, extracted_at=SENT_AT
        )
        other = talk(AgentFactory(phone_number=PhoneNumberFactory(user=user)))
        two = reading(
            conversation=other,
            phone="+12025550123",
            urgency=3,
            budget=2,
            engagement=1,
            demo_datetime=SENT_AT,
        )
        since = moment(two.extracted_at)

        for query, found in {
            f"conversation_id={other.pk}": two,
            f"agent_id={other.agent_id}": two,
            f"phone_number_id={other.customer.phone_number_id}": two,
            "min_urgency=2": two,
            "min_budget=2": two,
            "min_fit=1": one,
            "min_engagement=1": two,
            "has_email=true": one,
            "has_email=false": two,
            "has_phone=true": two,
            "has_phone=false": one,
            "has_demo=true": two,
            "has_demo=false": one,
            f"since={since}": two,
            f"until={since}": one,
            f"conversation_id={other.pk}&min_urgency=3&has_demo=true&since={since}": two,
        }.items():
            assert listed(business, user, query) == [found.pk], query
            assert listed(business, user, f"history=true&{query}") == [found.pk], query
        for query in (f"conversation_id={other.pk}&agent_id={one.conversation.agent_id}", "min_budget=3"):
            assert listed(business, user, query) == [], query

    def test_finds_nothing_of_others(self, business, user, lead):
        other = reading(urgency=3, email="canary@example.com")

        for query in (
            f"conversation_id={other.conversation_id}",
            f"agent_id={other.conversation.agent_id}",
            f"phone_number_id={other.conversation.customer.phone_number_id}",
            "min_urgency=3",
            "conversation_id=cnv_none",
        ):
            assert listed(business, user, query) == [], query
            assert listed(business, user, f"history=true&{query}") == [], query
        assert listed(business, user, "history=true") == [lead.pk]

    @pytest.mark.parametrize("query", ["", "history=true", "min_fit=1", "agent"])
    def test_goes_page_by_page(self, business, user, agent, query):
        made = [reading(conversation=talk(agent), fit=1).pk for _ in range(5)]
        query = f"agent_id={agent.pk}" if query == "agent" else query

        found = all_pages(business, user, f"limit=2&{query}")

        assert list(chain.from_iterable(found)) == made[::-1]

    def test_looks_at_no_more_than_some_rows_for_a_page(self, business, user, agent, monkeypatch):
        monkeypatch.setattr(pagination, "MOST_WALKED", 3)
        first = reading(conversation=talk(agent), fit=3)
        for _ in range(6):
            reading(conversation=talk(agent), fit=1)

        found = all_pages(business, user, "min_fit=2")

        assert found == [[], [], [first.pk]]

    def test_asks_as_often_for_many_as_for_one(self, business, user, agent, lead):
        listed(business, user)
        with CaptureQueriesContext(connection) as one:
            listed(business, user)
        for _ in range(10):
            reading(conversation=talk(agent))

        with CaptureQueriesContext(connection) as many:
            assert len(listed(business, user)) == 11

        assert len(many) == len(one)

    @pytest.mark.parametrize(
        "query",
        ["min_fit=0", "min_fit=4", "min_fit=high", "has_email=1", "history=yes", "status=good", "since=now",
         "conversation=x", "cursor=x"],
    )  # fmt: skip
    def test_refuses_what_it_does_not_understand(self, business, user, query):
        assert business.get(f"/users/{user.user_id}/extractions?{query}").status_code == 400


class TestOne:
    def test_is_shown_whatever_became_of_it(self, business, user, conversation):
        failed = reading(conversation=conversation, status="failed", reason="model: timeout")

        answer = business.get(f"/users/{user.user_id}/extractions/{failed.pk}")

        assert (answer.status_code, bool(answer["ETag"])) == (200, True)
        assert (answer.json()["status"], answer.json()["reason"]) == ("failed", "model: timeout")
        assert "lease_token" not in answer.json()

    def test_of_others_does_not_exist(self, business, user):
        other = reading()

        for owner in (user.user_id, other.user_id):
            url = f"/users/{owner}/extractions/{other.pk}"
            assert business.get(url).status_code == 404
            assert business.patch(url, {"name": "x"}).status_code == 404
        other.refresh_from_db()
        assert other.name is None


class TestCorrecting:
    @pytest.fixture
    def url(self, user, lead):
        return f"/users/{user.user_id}/extractions/{lead.pk}"

    def test_sets_what_is_sent_and_leaves_the_rest(self, business, url):
        answer = business.patch(url, {"company": "Example Engines", "fit": 1, "email": None})

        shown = answer.json()
        assert answer.status_code == 200
        assert (shown["company"], shown["fit"], shown["email"]) == ("Example Engines", 1, None)
        assert (shown["name"], shown["urgency"]) == ("Ada", 1)
        assert set(shown["corrected"]) == {"company", "fit", "email"}
        assert shown["corrected"]["fit"]["by"] == f"key:{business.key.split('_')[1]}"
        assert business.get(url).json() == shown
        assert business.get(url)["ETag"] == answer["ETag"]

    def test_keeps_values_as_they_are_meant(self, business, url):
        shown = business.patch(
            url, {"phone": "+1 202-555-0199", "demo_datetime": "2027-01-02T10:00:00+02:00"}
        ).json()

        assert (shown["phone"], shown["demo_datetime"]) == ("+12025550199", "2027-01-02T08:00:00Z")
        assert shown["demo_source_text"] == ""

    def test_is_told_to_the_business(self, business, url):
        business.patch(url, {"company": "Example Engines"})

        event = Event.objects.get(type="lead.updated")
        assert (event.data["changed"], event.data["source"]) == (["company"], "api")

    def test_of_nothing_changes_nothing(self, business, url):
        before = business.get(url)

        assert business.patch(url, {}).json() == before.json()
        assert not Event.objects.exists()

    def test_is_refused_where_somebody_was_quicker(self, business, url):
        seen = business.get(url)["ETag"]
        business.patch(url, {"name": "Ada L."})

        answer = business.patch(url, {"name": "Bea"}, If_Match=seen)

        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
        assert business.get(url).json()["name"] == "Ada L."
        assert business.patch(url, {"name": "Bea"}, If_Match=business.get(url)["ETag"]).status_code == 200

    @pytest.mark.parametrize("with_etag", [True, False])
    def test_of_what_is_not_the_lead_names_the_lead(self, business, url, lead, with_etag):
        seen = {"If_Match": business.get(url)["ETag"]} if with_etag else {}
        Extraction.objects.update(is_current=False)
        newer = reading(conversation=lead.conversation)

        answer = business.patch(url, {"name": "Bea"}, **seen)

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "not_the_lead")
        assert problem["extraction_id"] == newer.pk
        newer.refresh_from_db()
        assert newer.name is None

    def test_where_there_is_no_lead_names_none(self, business, user, conversation):
        empty = reading(conversation=conversation, status="empty")

        answer = business.patch(f"/users/{user.user_id}/extractions/{empty.pk}", {"name": "Bea"})

        assert (answer.status_code, answer.json()["extraction_id"]) == (409, None)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("email", "nonsense"), ("email", "a@b"), ("phone", "12"), ("phone", "call me"), ("name", "a@b.de"),
         ("company", "https://evil.example"), ("demo_datetime", "1900-01-01T00:00:00Z")],
    )  # fmt: skip
    def test_refuses_what_cannot_be_true(self, business, url, field, value):
        answer = business.patch(url, {field: value, "fit": 1})

        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (422, "invalid_correction")
        assert problem["errors"][0]["field"] == field
        assert business.get(url).json()["fit"] == 3

    @pytest.mark.parametrize(
        "body",
        [{"fit": 0}, {"fit": 4}, {"fit": "3"}, {"fit": True}, {"name": 7}, {"name": ""}, {"name": "x" * 101},
         {"intent": "x" * 101}, {"demo_datetime": "tomorrow"}, {"demo_datetime": "2027-01-01T10:00:00"},
         {"status": "failed"}, {"smart_notification": "x"}, {"is_current": False}, {"corrected": {}}, []],
    )  # fmt: skip
    def test_refuses_what_does_not_fit(self, business, url, body):
        assert business.patch(url, body).status_code == 400


class TestReading:
    def read(self, ask, user, conversation):
        return ask.post(f"/users/{user.user_id}/conversations/{conversation.pk}/extract")

    def test_is_opened_up_to_the_newest_message(self, business, user, conversation):
        MessageFactory(conversation=conversation, author="customer", sequence_no=1)
        conversation.last_sequence_no = 1
        conversation.save()

        answer = self.read(business, user, conversation)

        shown = answer.json()
        assert answer.status_code == 202
        assert (shown["status"], shown["trigger"], shown["upto_sequence_no"]) == ("waiting", "manual", 1)
        assert business.get(answer["Location"]).json() == shown

    @pytest.mark.parametrize("status", ["waiting", "running"])
    def test_that_is_under_way_is_given_as_it_is(self, business, user, conversation, status):
        under_way = reading(conversation=conversation, status=status)

        answer = self.read(business, user, conversation)

        assert answer.status_code == 202
        assert (answer.json()["extraction_id"], answer.json()["status"]) == (under_way.pk, status)

    def test_again_after_it_failed_opens_another(self, business, user, conversation):
        MessageFactory(conversation=conversation, author="customer", sequence_no=1)
        failed = reading(conversation=conversation, status="failed")

        assert self.read(business, user, conversation).json()["extraction_id"] != failed.pk

    def test_needs_something_the_customer_said(self, business, user, conversation):
        MessageFactory(conversation=conversation, author="ai", sequence_no=1)

        answer = self.read(business, user, conversation)

        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_read")
        assert not Extraction.objects.exists()

    def test_of_anothers_conversation_is_not_possible(self, business, user):
        other = MessageFactory(author="customer").conversation

        assert self.read(business, user, other).status_code == 404
        assert self.read(business, other.user, other).status_code == 404
        assert not Extraction.objects.exists()


def fill(user_id: str) -> None:
    """Read each of a business's talks twice, one in twenty with anything to be filtered by."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extractions (extraction_id, user_id, conversation_id, status, trigger, is_current,
                                     upto_sequence_no, email, fit)
            SELECT 'ext_' || md5(conversation_id || n), user_id, conversation_id, 'succeeded', 'manual',
                   n = 1, n, CASE WHEN hashtext(conversation_id) %% 20 = 0 THEN 'a@example.com' END, 1
              FROM conversations CROSS JOIN generate_series(0, 1) AS n WHERE user_id = %s
            """,
            [user_id],
        )


# By itself, after the tests whose rows are rolled back: Postgres remembers how large a table was.
@pytest.mark.django_db(transaction=True)
@pytest.mark.long
class TestPlan:
    @pytest.fixture
    def filled(self, valkey):
        filled = filling.fill("usr_measured", count=100_000)
        filling.fill("usr_other", count=10_000)
        fill("usr_measured")
        fill("usr_other")
        with connection.cursor() as cursor:
            # Whatever earlier tests have left behind, pages and statistics are those of these rows.
            cursor.execute("VACUUM ANALYZE extractions, conversations, customers, phone_numbers")
        return filled

    def plans(self, filled, query) -> list[str]:
        ask = caller.operator()
        with CaptureQueriesContext(connection) as asked:
            answer = ask.get(f"/users/{filled.user_id}/extractions?limit=50&{query}")
        assert answer.status_code == 200
        found = []
        with connection.cursor() as cursor:
            for statement in asked:
                if statement["sql"].startswith("SELECT") and '"extractions"' in statement["sql"]:
                    cursor.execute("EXPLAIN " + statement["sql"].replace("%", "%%"), [])
                    found.append("\n".join(line for (line,) in cursor.fetchall()))
        return found

    def test_follows_an_index_on_every_page(self, filled):
        cursor = Extraction.objects.of(filled.user_id).order_by("-extraction_id")[1500]
        for index, query in {
            "extractions_leads_by_user": "",
            "extractions_by_user": "history=true",
            "extractions_by_talk": f"history=true&conversation_id={filled.long_conversation}",
        }.items():
            for page in ("", f"&cursor={pagination._cursor(cursor, ('-extraction_id',))}"):
                [plan] = self.plans(filled, query + page)

                assert index in plan or "one_lead_per_conversation" in plan, (query, plan)
                assert "Seq Scan on extractions" not in plan, (query, plan)
                assert "Sort" not in plan, (query, plan)

    def test_is_bounded_where_no_index_follows(self, filled, monkeypatch):
        # Of as many leads as there are here, a smaller part than it is of those that a business may have.
        monkeypatch.setattr(pagination, "MOST_WALKED", 100)
        agent, number = f"agent_id={filled.user_id}-a3", f"phone_number_id={filled.rare_number}"
        for query in ("has_email=true", "min_fit=3", "since=2020-01-01T00:00:00Z", agent, number):
            for plan in self.plans(filled, query):
                assert "extractions_leads_by_user" in plan, (query, plan)
                assert "Seq Scan on extractions" not in plan, (query, plan)
