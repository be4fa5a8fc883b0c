"""Why a number went quiet: each cause is found, with the one action that helps."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, ModelShutdown
from billing import keys
from billing.models import Credit
from channels_app import channel_errors
from channels_app.models import Customer, InboundMessage, NumberCheck, PhoneNumber
from config.lib import heartbeat
from conversations.diagnosis import diagnosing
from conversations.diagnosis.findings import Level, Remedy
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
    TurnFactory,
)

NOW = timezone.now()


@pytest.fixture
def agent(transactional_db, valkey):
    made = AgentFactory()
    keys.create(user_id=made.user_id, name="in use")
    heartbeat.beat("worker")
    customer = CustomerFactory(phone_number=made.phone_number)
    talk = ConversationFactory(agent=made, customer=customer)
    asked = InboundMessageFactory(customer=customer, status="done", sent_at=NOW)
    MessageFactory(
        conversation=talk, author="customer", sequence_no=1, timestamp=NOW, inbound=asked, status="delivered"
    )
    MessageFactory(conversation=talk, sequence_no=2, timestamp=NOW, status="sent")
    return made


def findings(number_id, *, asks_graph=False):
    return {found.part: found for found in diagnosing.diagnose(number_id, asks_graph=asks_graph).findings}


def level(agent, part) -> Level:
    return findings(agent.phone_number_id)[part].level


class TestRows:
    def test_number_that_works_has_no_finding_but_ok(self, agent):
        found = diagnosing.diagnose(agent.phone_number_id, asks_graph=False)

        assert {finding.level for finding in found.findings} == {Level.OK}, found
        assert found.worst is None

    def test_number_without_an_agent(self, agent):
        Agent.objects.update(deleted_at=NOW)

        found = findings(agent.phone_number_id)["agent"]

        assert (found.level, found.remedy, found.row) == (Level.PROBLEM, Remedy.CREATE_AGENT, agent.user_id)

    def test_prompt_that_is_gone(self, agent):
        Agent.objects.update(prompt_id="pmpt_of_the_dashboard")

        assert findings(agent.phone_number_id)["prompt"].remedy is Remedy.IMPORT_PROMPT

    def test_version_that_does_not_exist(self, agent):
        Agent.objects.update(prompt_version=7)

        assert "no version 7" in findings(agent.phone_number_id)["prompt"].text

    def test_model_that_was_shut_down(self, agent, settings):
        ModelShutdown.objects.create(model=settings.OPENAI_MODEL, shutdown_on=NOW.date())

        assert level(agent, "prompt") is Level.PROBLEM

    def test_no_credits(self, agent):
        Credit.objects.update(remaining_credits=0)

        found = findings(agent.phone_number_id)["credits"]

        assert (found.level, found.remedy) == (Level.PROBLEM, Remedy.GRANT)

    def test_business_without_a_working_key(self, agent):
        agent.user.api_keys.update(revoked_at=NOW)

        assert level(agent, "account") is Level.WARNING

    def test_no_worker(self, agent):
        heartbeat.forget_the_dead()
        connection.cursor().execute("DELETE FROM heartbeats")

        assert level(agent, "workers") is Level.PROBLEM

    def test_messages_that_wait_for_long(self, agent):
        customer = CustomerFactory(phone_number=agent.phone_number)
        InboundMessageFactory(customer=customer)
        before = level(agent, "queue")
        InboundMessage.objects.filter(status="pending").update(received_at=NOW - timedelta(hours=3))

        found = findings(agent.phone_number_id)["queue"]

        assert before is Level.OK
        assert found.level is Level.PROBLEM
        assert found.text == "1 message waits, the oldest for 3 hours."

    def test_turns_that_lost_their_worker(self, agent):
        customer = CustomerFactory(phone_number=agent.phone_number)
        talk = ConversationFactory(agent=agent, customer=customer)
        TurnFactory(conversation=talk, lease_expires_at=NOW - timedelta(minutes=5))

        assert level(agent, "turns") is Level.WARNING

    def test_paused_customer_can_be_resumed(self, agent):
        Customer.objects.update(paused_until=NOW + timedelta(hours=1))

        found = findings(agent.phone_number_id)["pauses"]

        assert (found.level, found.remedy) == (Level.WARNING, Remedy.RESUME)
        assert found.row.startswith("cnv_")

    def test_number_to_which_nobody_wrote(self, agent):
        other = AgentFactory(phone_number=PhoneNumberFactory(user=agent.user))

        found = findings(other.phone_number_id)

        assert [found["webhooks"].level, found["window"].level] == [Level.WARNING, Level.WARNING]

    def test_number_that_fell_silent(self, agent):
        PhoneNumber.objects.update(silent_at=timezone.now() + timedelta(minutes=1))

        assert level(agent, "webhooks") is Level.PROBLEM

    def test_channel_that_refuses(self, agent):
        channel_errors.record(phone_number_id=agent.phone_number_id, code="190", reason="It has expired.")

        found = findings(agent.phone_number_id)["channel"]

        assert found.level is Level.PROBLEM
        assert "190 It has expired." in found.text

    def test_messages_that_failed(self, agent):
        talk = agent.conversations.get()
        MessageFactory(
            conversation=talk,
            sequence_no=3,
            timestamp=NOW,
            status="failed",
            failure_reason="131056: Too fast",
        )

        assert "Too fast" in findings(agent.phone_number_id)["channel"].text

    def test_deleted_number_says_only_that(self, agent):
        PhoneNumber.objects.update(deleted_at=NOW)

        assert list(findings(agent.phone_number_id)) == ["number"]

    def test_problems_come_first(self, agent):
        Credit.objects.update(remaining_credits=0)
        agent.user.api_keys.update(revoked_at=NOW)

        found = diagnosing.diagnose(agent.phone_number_id, asks_graph=False).findings

        assert [one.part for one in found[:2]] == ["credits", "account"]

    def test_all_rows_are_read_by_one_statement_and_a_few_more(self, agent):
        with CaptureQueriesContext(connection) as queries:
            diagnosing.diagnose(agent.phone_number_id, asks_graph=False)

        assert len(queries) <= 5


class TestGraph:
    def test_number_in_order_says_so(self, agent, simulator):
        found = findings(agent.phone_number_id, asks_graph=True)

        assert {found[part].level for part in ("token", "subscription", "quality")} == {Level.OK}
        assert "TIER_10K" in found["quality"].text

    def test_expired_token_is_a_problem_and_an_alarm(self, agent, simulator):
        simulator.behave(account={"token": "expired"})

        found = findings(agent.phone_number_id, asks_graph=True)["token"]

        assert (found.level, found.remedy) == (Level.PROBLEM, Remedy.EDIT_NUMBER)
        assert "190" in found.text
        assert PhoneNumber.objects.get().alarm_code == "190"

    def test_token_that_expires_soon(self, agent, simulator):
        simulator.behave(account={"token_expires_in": 86_400 + 3_600})

        found = findings(agent.phone_number_id, asks_graph=True)["token"]

        assert found.level is Level.WARNING
        assert "expires in 1 day" in found.text

    def test_missing_permission(self, agent, simulator):
        simulator.behave(account={"permissions": ["whatsapp_business_management"]})

        found = findings(agent.phone_number_id, asks_graph=True)["permissions"]

        assert "whatsapp_business_messaging" in found.text

    def test_app_that_is_not_subscribed_raises_an_alarm_that_ends_with_the_fault(self, agent, simulator):
        simulator.behave(account={"is_subscribed": False})
        found = findings(agent.phone_number_id, asks_graph=True)["subscription"]
        alarmed = PhoneNumber.objects.get().alarm_code
        simulator.behave(account={"is_subscribed": True})
        after = findings(agent.phone_number_id, asks_graph=True)["subscription"]

        assert (found.level, alarmed) == (Level.PROBLEM, "not_subscribed")
        assert after.level is Level.OK
        assert PhoneNumber.objects.get().alarmed_at is None

    def test_blocked_account_says_why(self, agent, simulator):
        fault = {"error_code": 141006, "error_description": "No payment.", "possible_solution": "Add a card."}
        simulator.behave(account={"can_send_message": "BLOCKED", "faults": [fault], "quality_rating": "RED"})

        found = findings(agent.phone_number_id, asks_graph=True)

        assert "141006 No payment. Add a card." in found["sending"].text
        assert found["quality"].level is Level.WARNING

    def test_graph_that_is_away_is_a_warning_and_no_alarm(self, agent, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:1/v25.0"

        found = findings(agent.phone_number_id, asks_graph=True)["meta"]

        assert found.level is Level.WARNING
        assert PhoneNumber.objects.get().alarmed_at is None

    def test_instagram_is_asked_for_its_subscription(self, transactional_db, valkey, simulator):
        number = PhoneNumberFactory(phone_number_id="17841400000000009", type="instagram")
        before = findings(number.pk, asks_graph=True)["subscription"].level
        simulator.behave(account={"is_subscribed": False})

        assert before is Level.OK
        assert findings(number.pk, asks_graph=True)["subscription"].level is Level.PROBLEM

    def test_last_answer_is_kept_for_who_looks_later(self, agent, simulator):
        simulator.behave(account={"quality_rating": "RED"})
        diagnosing.diagnose(agent.phone_number_id)

        assert findings(agent.phone_number_id)["quality"].level is Level.WARNING
        assert NumberCheck.objects.get().health["quality_rating"] == "RED"


class TestCommand:
    def test_prints_problems_with_what_helps_and_ends_with_1(self, agent, simulator):
        Credit.objects.update(remaining_credits=0)
        out = StringIO()

        with pytest.raises(SystemExit) as ended:
            call_command("diagnose", agent.phone_number_id, stdout=out)

        assert ended.value.code == 1
        first, second = out.getvalue().splitlines()[:2]
        assert first.startswith("PROBLEM  credits")
        assert "Grant credits" in second

    def test_prints_json_and_asks_nobody_offline(self, agent, settings):
        settings.WHATSAPP_API_BASE_URL = "http://127.0.0.1:1/v25.0"
        out = StringIO()

        call_command("diagnose", agent.phone_number_id, "--json", "--offline", stdout=out)

        document = json.loads(out.getvalue())
        assert {found["level"] for found in document["findings"]} == {"ok"}
        assert not NumberCheck.objects.exists()

    def test_refuses_a_number_nobody_registered(self, transactional_db):
        with pytest.raises(CommandError, match="no number 123 is registered"):
            call_command("diagnose", "123")
