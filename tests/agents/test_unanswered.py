"""Numbers on which customers wait because no agent answers."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import unanswered
from billing.models import Event, WebhookDelivery
from channels_app.models import InboundMessage, PhoneNumber
from conversations import sweeper
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    CustomerFactory,
    InboundMessageFactory,
    PhoneNumberFactory,
    WebhookEndpointFactory,
)
from tests.table_statistics import forget_statistics


@pytest.fixture
def number(transactional_db, valkey):
    return PhoneNumberFactory()


def wrote(number, **changes) -> InboundMessage:
    return InboundMessageFactory(customer=CustomerFactory(phone_number=number), **changes)


def raised() -> list[dict]:
    return [event.data for event in Event.objects.filter(type="number.unanswered").order_by("sequence")]


class TestEvent:
    def test_first_message_that_nobody_answers_raises_one(self, number):
        first = wrote(number)
        first.refresh_from_db()
        wrote(number)

        for _ in range(3):
            answering.drain(number.pk)

        [data] = raised()
        assert data == {
            "phone_number_id": number.pk,
            "channel": "whatsapp",
            "reason": "no_agent",
            "waiting_since": first.received_at.isoformat(),
        }

    def test_it_reaches_the_endpoints_of_the_business(self, number):
        WebhookEndpointFactory(user=number.user, types=["number.unanswered"])
        WebhookEndpointFactory()
        wrote(number)

        answering.drain(number.pk)

        assert WebhookDelivery.objects.get().event.type == "number.unanswered"

    def test_it_is_raised_again_a_day_later_if_customers_still_wait(self, number):
        wrote(number)
        unanswered.report(phone_number_id=number.pk)
        PhoneNumber.objects.update(unanswered_at=timezone.now() - timedelta(days=1, seconds=1))

        unanswered.report(phone_number_id=number.pk)

        assert len(raised()) == 2

    def test_repeated_report_writes_nothing(self, number):
        wrote(number)
        unanswered.report(phone_number_id=number.pk)
        before = PhoneNumber.objects.get().unanswered_at

        with CaptureQueriesContext(connection) as queries:
            assert not unanswered.report(phone_number_id=number.pk)

        assert (
            len([query for query in queries if "BEGIN" not in query["sql"] and "COMMIT" not in query["sql"]])
            == 1
        )
        assert PhoneNumber.objects.get().unanswered_at == before

    def test_number_with_an_agent_raises_none(self, number):
        AgentFactory(phone_number=number)
        wrote(number)

        assert not unanswered.report(phone_number_id=number.pk)

    def test_number_on_which_nobody_waits_raises_none(self, number):
        wrote(number, status="done")

        assert not unanswered.report(phone_number_id=number.pk)

    def test_number_that_is_deleted_or_was_never_registered_raises_none(self, number):
        PhoneNumber.objects.update(deleted_at=timezone.now())
        wrote(number)

        assert not unanswered.report(phone_number_id=number.pk)
        assert answering.drain("4711") == 0
        assert raised() == []


class TestAgentLater:
    def test_agent_that_is_put_on_the_number_answers_what_waits(self, number, simulator):
        wrote(number, text="Is anybody there?")
        answering.drain(number.pk)
        assert sweeper.waiting_numbers() == []

        AgentFactory(phone_number=number)

        assert sweeper.waiting_numbers() == [number.pk]
        assert answering.drain(number.pk) == 1
        assert InboundMessage.objects.get().status == "done"


class TestNumbers:
    def test_those_without_an_agent_are_listed_the_longest_waiting_first(self, number):
        later, served = PhoneNumberFactory(display_name="Later"), AgentFactory().phone_number
        deleted, silent = PhoneNumberFactory(deleted_at=timezone.now()), PhoneNumberFactory()
        (
            wrote(number),
            wrote(number),
            wrote(later),
            wrote(served),
            wrote(deleted),
            wrote(silent, status="done"),
        )

        found = unanswered.numbers()

        assert [(row["phone_number_id"], row["messages"]) for row in found] == [(number.pk, 2), (later.pk, 1)]
        assert found[1]["display_name"] == "Later"

    def test_waiting_messages_are_counted_up_to_a_bound(self, number, monkeypatch):
        monkeypatch.setattr(unanswered, "MOST_COUNTED", 2)
        for _ in range(3):
            wrote(number)

        assert unanswered.waiting(phone_number_id=number.pk)["messages"] == 2

    def test_no_statement_reads_a_whole_table_of_messages(self, number):
        statements = [unanswered._REPORT_SQL, unanswered._WAITING_SQL, unanswered._NUMBERS_SQL]
        given = {"number": number.pk, "quiet": "1 day", "counted": 10, "most": 10}
        with transaction.atomic():
            forget_statistics()
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN {statement}", given)
                    plan = "\n".join(row[0] for row in cursor.fetchall())

                assert "inbound_waiting_by_" in plan, plan
                assert "Seq Scan on inbound_messages" not in plan
