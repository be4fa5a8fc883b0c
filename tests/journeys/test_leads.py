"""A talk goes quiet, and its lead reaches the business: through the real processes."""

import email

import pytest
import requests
from standardwebhooks import Webhook

from billing.webhooks import signing
from config.lib import crypto, ids
from tests import environment
from tests.billing.receiver import Receiver
from tests.rig import Business, wait_until

pytestmark = pytest.mark.long

QUIET = {"EXTRACTION_INTERVAL": "1500", "EXTRACTION_LOOK_INTERVAL": "300"}
SALE = (
    "Hi, I'm Ada Lovelace from Analytical Engines.",
    "We are looking for 200 loaves a week. Our budget is $5,000 a month, and it is urgent.",
    "My e-mail is ada@engines.example. Could we do a demo tomorrow at 3 pm?",
)


class Listener(Receiver):
    """A business's server that checks signatures as their library does."""

    secret = signing.new_secret()

    @property
    def told(self) -> list[dict]:
        return [Webhook(self.secret).verify(post["body"], post["headers"]) for post in self.posts]

    def of(self, type_: str) -> list[dict]:
        return [event for event in self.told if event["type"] == type_]


made_key: dict[str, str] = {}


@pytest.fixture
def receiver():
    with Listener() as running:
        yield running


@pytest.fixture
def leads(rig):
    """The system, with talks that are quiet after a second and a half."""
    rig.have("worker", "extractor", **QUIET)
    rig.start("beat", **QUIET)
    rig.start("notifier", WEBHOOK_ENDPOINTS_PRIVATE="true")
    rig.start("web")
    return rig


@pytest.fixture
def business(leads, receiver) -> Business:
    made = leads.business()
    made_key[made.user_id] = leads.key(made.user_id)
    endpoint_id = ids.new("whe")
    secret = crypto.encrypt(receiver.secret, context=f"webhook_endpoints:secret:{endpoint_id}")
    leads.execute(
        "INSERT INTO webhook_endpoints (endpoint_id, user_id, url, secret) VALUES (%s, %s, %s, %s)",
        endpoint_id, made.user_id, receiver.url, secret,
    )  # fmt: skip
    leads.execute("UPDATE users SET notify_email = 'sales@example.com' WHERE user_id = %s", made.user_id)
    return made


def api(business: Business, method: str, path: str, **more) -> requests.Response:
    url = f"{environment.API_URL}/users/{business.user_id}/{path}"
    headers = {"x-api-key": made_key[business.user_id]}
    return requests.request(method, url, headers=headers, timeout=60, **more)


def lead(business: Business) -> dict:
    found = api(business, "GET", "extractions").json()["data"]
    return found[0] if found else {}


def mails() -> list[str]:
    folder = environment.DATA_DIR / "mail"
    return [
        str(message.get_payload())
        for path in sorted(folder.glob("*"))
        for message in [email.message_from_bytes(path.read_bytes())]
    ]


class TestLead:
    def test_reaches_the_business_once_the_talk_is_quiet(self, business, receiver):
        before = len(mails())
        business.write(*SALE)
        business.wait_until_quiet()

        found = wait_until(lambda: lead(business), what="the lead")

        assert found["status"] == "succeeded"
        assert (found["name"], found["email"], found["company"]) == (
            "Ada Lovelace", "ada@engines.example", "Analytical Engines",
        )  # fmt: skip
        assert (found["budget"], found["urgency"]) == (3, 3)
        assert found["demo_datetime"] is not None
        assert found["demo_source_text"]
        said = {row["message_id"]: row["text"] for row in business.messages()}
        (message_id,) = found["evidence"]["email"]["messages"]
        assert "ada@engines.example" in said[message_id]
        wait_until(lambda: receiver.of("lead.created"), what="the event")
        wait_until(lambda: len(mails()) > before, what="the e-mail")
        (created,) = receiver.of("lead.created")
        assert created["data"]["lead"]["email"] == "ada@engines.example"
        assert len(mails()) == before + 1
        assert "ada@engines.example" in mails()[-1]

    def test_is_told_in_order_with_all_that_happened(self, business, receiver):
        business.write(*SALE)
        wait_until(lambda: receiver.of("lead.created"), what="the event")

        # When the reply is delivered and read is up to the customer.
        statuses = {"message.delivered", "message.read"}
        told = [event for event in receiver.told if event["conversation_id"]]
        talk = [event for event in told if event["type"] not in statuses]
        talk.sort(key=lambda event: event["sequence"])
        assert [event["type"] for event in talk] == [
            *["message.received"] * 3, "message.sent", "conversation.idle", "lead.created",
        ]  # fmt: skip
        assert [event["data"]["text"] for event in talk[:3]] == list(SALE)

    def test_gets_better_with_what_is_said_later_and_keeps_what_a_person_set(self, business, receiver):
        business.write(*SALE)
        found = wait_until(lambda: lead(business), what="the lead")
        path = f"extractions/{found['extraction_id']}"
        changed = api(business, "PATCH", path, json={"company": "Engines & Sons"})
        assert changed.status_code == 200, changed.text

        business.write("You can also call me: +1 202 555 0143")
        later = wait_until(
            lambda: (seen := lead(business))["extraction_id"] != found["extraction_id"] and seen,
            what="the next reading",
        )

        assert (later["company"], later["phone"]) == ("Engines & Sons", "+12025550143")
        assert later["suggestions"]["company"]["value"] == "Analytical Engines"
        wait_until(
            lambda: [e for e in receiver.of("lead.updated") if e["data"]["source"] == "extraction"],
            what="the event",
        )
        updates = [e["data"]["changed"] for e in receiver.of("lead.updated")
                   if e["data"]["source"] == "extraction"]  # fmt: skip
        (changed,) = updates
        assert "phone" in changed
        assert not {"name", "email", "company"} & set(changed)
        assert len(receiver.of("lead.created")) == 1


class TestOnce:
    def test_with_two_beats_and_a_killed_extractor(self, business, receiver):
        rig = business.rig
        rig.simulator.behave(openai={"latency": 0.05, "script": [{"match": "json_schema", "delay": 13}]})
        rig.restart("extractor", **QUIET, TURN_DEADLINE="20000")
        rig.start("beat2", **QUIET)
        business.write(*SALE)
        wait_until(
            lambda: rig.rows(
                "SELECT 1 FROM extractions WHERE user_id = %s AND status = 'running'", business.user_id
            ),
            what="the reading has begun",
        )

        rig.kill("extractor")
        rig.start("extractor", **QUIET, TURN_DEADLINE="20000")
        wait_until(lambda: lead(business), what="the lead")

        runs = rig.rows("SELECT status, attempts FROM extractions WHERE user_id = %s", business.user_id)
        assert runs == [{"status": "succeeded", "attempts": 1}]
        wait_until(lambda: receiver.of("lead.created"), what="the event")
        assert len(receiver.of("lead.created")) == 1
        assert len(receiver.of("conversation.idle")) == 1
