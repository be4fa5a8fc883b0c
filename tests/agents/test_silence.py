"""Numbers that used to receive messages and no longer do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import number_states, silence
from agents.number_states import Status
from billing.models import Event
from channels_app.models import PhoneNumber
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    MessageFactory,
)
from tests.log_lines import written_lines

NOW = timezone.now()
HOUR = timedelta(hours=1)


@pytest.fixture
def talk(transactional_db, valkey):
    agent = AgentFactory()
    return ConversationFactory(agent=agent, customer=CustomerFactory(phone_number=agent.phone_number))


def wrote(talk, *hours_ago: float) -> None:
    for number, hours in enumerate(sorted(hours_ago, reverse=True), start=1):
        MessageFactory(
            conversation=talk, author="customer", sequence_no=number, status="delivered",
            timestamp=NOW - hours * HOUR,
        )  # fmt: skip


def every(hours: float, *, until: float, count: int = 30) -> list[float]:
    return [until + hours * number for number in range(count)]


class TestSilence:
    def test_busy_number_that_got_nothing_for_a_day_raises_an_event_once(self, talk):
        wrote(talk, *every(3, until=25))

        raised = [silence.report_all() for _ in range(3)]

        event = Event.objects.get(type="number.silent")
        assert raised == [1, 0, 0]
        assert event.data == {
            "phone_number_id": talk.customer.phone_number_id,
            "channel": "whatsapp",
            "last_received_at": (NOW - 25 * HOUR).isoformat(),
            "longest_pause_seconds": 3 * 3600,
        }

    def test_it_is_in_the_log(self, talk):
        wrote(talk, *every(3, until=25))

        with written_lines() as lines:
            silence.report_all()
            found = [line["hours"] for line in lines() if line["event"] == "number.silent"]

        assert found == [25]

    def test_number_that_pauses_every_weekend_is_not_silent_on_one(self, talk):
        # A pause of 60 hours among the messages of the last two weeks.
        wrote(talk, *every(3, until=50, count=15), *every(3, until=50 + 42 + 60, count=15))

        assert silence.report_all() == 0

    def test_few_messages_make_no_habit(self, talk):
        wrote(talk, *every(1, until=25, count=silence.FEWEST - 1))

        assert silence.report_all() == 0

    def test_message_that_waits_in_the_inbox_breaks_the_silence(self, talk):
        wrote(talk, *every(3, until=25))
        InboundMessageFactory(customer=talk.customer)

        assert silence.report_all() == 0

    def test_number_that_is_heard_again_and_falls_silent_again_is_reported_again(self, talk):
        wrote(talk, *every(3, until=60))
        silence.report_all()
        PhoneNumber.objects.update(silent_at=NOW - 50 * HOUR)
        MessageFactory(
            conversation=talk, author="customer", sequence_no=99, status="delivered",
            timestamp=NOW - 48 * HOUR,
        )  # fmt: skip

        assert silence.report_all() == 1

    def test_deleted_number_is_not_reported(self, talk):
        wrote(talk, *every(3, until=25))
        PhoneNumber.objects.update(deleted_at=NOW)

        assert silence.report_all() == 0

    def test_alarm_can_be_switched_off(self, talk, settings):
        settings.SILENCE_ALARM_HOURS = 0
        wrote(talk, *every(3, until=25))

        assert silence.report_all() == 0

    def test_state_of_the_number_is_silent_until_a_message_comes(self, talk):
        number = talk.customer.phone_number_id
        wrote(talk, *every(3, until=25))
        silence.report_all()
        before = number_states.states([number])[number].status
        InboundMessageFactory(customer=talk.customer)

        assert before is Status.SILENT
        assert number_states.states([number])[number].status is Status.ACTIVE
