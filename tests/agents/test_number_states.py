"""The state of a number, from the rows that are stored anyway."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents import number_states
from agents.number_states import LastError, Status
from billing.models import Credit
from channels_app import channel_errors, numbers
from channels_app.models import PhoneNumber
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
)
from tests.table_statistics import forget_statistics

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def agent(valkey):
    return AgentFactory()


def state(number):
    return number_states.states([number.pk])[number.pk]


def said(agent, author="ai", *, minutes_ago=0, **changes):
    customer = CustomerFactory(phone_number=agent.phone_number)
    talk = ConversationFactory(agent=agent, customer=customer)
    at = NOW - timedelta(minutes=minutes_ago)
    return MessageFactory(conversation=talk, author=author, sequence_no=1, timestamp=at, **changes)


def failed(agent, reason, *, minutes_ago=0):
    at = NOW - timedelta(minutes=minutes_ago)
    return said(agent, status="failed", failed_at=at, failure_reason=reason, minutes_ago=minutes_ago)


def alarm(agent, *, minutes_ago=0, code="190", reason="The access token has expired."):
    channel_errors.record(phone_number_id=agent.phone_number_id, code=code, reason=reason)
    PhoneNumber.objects.update(alarmed_at=NOW - timedelta(minutes=minutes_ago))


class TestStatus:
    def test_number_with_an_agent_and_credits_is_active(self, agent):
        assert state(agent.phone_number).status is Status.ACTIVE

    def test_number_without_a_live_agent_says_so(self, agent):
        agent.deleted_at = NOW
        agent.save()

        assert state(agent.phone_number).status is Status.NO_AGENT
        assert state(PhoneNumberFactory()).status is Status.NO_AGENT

    def test_business_without_credits_says_so(self, agent):
        Credit.objects.update(remaining_credits=0)

        assert state(agent.phone_number).status is Status.NO_CREDITS

    def test_channel_that_refuses_says_so_until_something_is_sent(self, agent):
        said(agent, status="sent", minutes_ago=9)
        alarm(agent, minutes_ago=5)
        before = state(agent.phone_number).status
        said(agent, status="delivered", minutes_ago=1)

        assert [before, state(agent.phone_number).status] == [Status.CHANNEL_ERROR, Status.ACTIVE]

    def test_new_access_token_settles_the_alarm_and_the_next_error_is_told_at_once(self, agent):
        alarm(agent)

        numbers.change(phone_number_id=agent.phone_number_id, access_token="another")

        assert state(agent.phone_number).status is Status.ACTIVE
        assert state(agent.phone_number).last_error is None
        assert channel_errors.record(phone_number_id=agent.phone_number_id, code="190", reason="")

    def test_other_changes_leave_the_alarm(self, agent):
        alarm(agent)

        numbers.change(phone_number_id=agent.phone_number_id, display_name="New")

        assert state(agent.phone_number).status is Status.CHANNEL_ERROR


class TestTimes:
    def test_new_number_has_none(self, agent):
        found = state(agent.phone_number)

        assert (found.last_received_at, found.last_sent_at, found.last_error) == (None, None, None)

    def test_last_message_of_each_side_is_found_behind_others(self, agent):
        said(agent, "customer", status="delivered", minutes_ago=9)
        said(agent, "customer", status="delivered", minutes_ago=8)
        said(agent, status="read", minutes_ago=7)
        said(agent, status="pending", minutes_ago=6)
        failed(agent, "131056: Too fast", minutes_ago=5)

        found = state(agent.phone_number)

        assert found.last_received_at == NOW - timedelta(minutes=8)
        assert found.last_sent_at == NOW - timedelta(minutes=7)

    def test_message_that_waits_counts_as_received(self, agent):
        said(agent, "customer", status="delivered", minutes_ago=9)
        waiting = InboundMessageFactory(customer=CustomerFactory(phone_number=agent.phone_number))
        waiting.refresh_from_db()

        assert state(agent.phone_number).last_received_at == waiting.received_at

    def test_messages_of_other_numbers_do_not_count(self, agent):
        said(AgentFactory(phone_number__user=agent.user), status="sent")

        assert state(agent.phone_number).last_sent_at is None


class TestLastError:
    @pytest.mark.parametrize(
        ("reason", "code", "message"),
        [
            ("131056: Message failed: too fast", "131056", "Message failed: too fast"),
            ("model: invalid_api_key", "model", "invalid_api_key"),
            ("insufficient_credits", "insufficient_credits", ""),
            ("its worker died each time", "", "its worker died each time"),
        ],
    )
    def test_failed_message_gives_its_code_and_words(self, agent, reason, code, message):
        failed(agent, reason)

        assert state(agent.phone_number).last_error == LastError(code, message, NOW)

    def test_newest_of_failures_and_alarms_counts(self, agent):
        failed(agent, "131026: Undeliverable", minutes_ago=9)
        failed(agent, "131056: Too fast", minutes_ago=3)
        alarm(agent, minutes_ago=5)
        first = state(agent.phone_number).last_error
        PhoneNumber.objects.update(alarmed_at=NOW)

        assert first.code == "131056"
        assert state(agent.phone_number).last_error == LastError("190", "The access token has expired.", NOW)


class TestReading:
    def test_each_part_is_read_by_an_index(self, agent):
        given = {"numbers": [agent.phone_number_id], "price": 1, "most": 10}
        forget_statistics()
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {number_states._STATES_SQL}", given)
            plan = "\n".join(row[0] for row in cursor.fetchall())

        for index in ("messages_by_number", "messages_failed_by_number", "inbound_waiting_by_"):
            assert index in plan, plan
        assert "Seq Scan" not in plan, plan
