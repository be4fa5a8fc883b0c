"""Messages whose outcome is unknown: reported, retried, refunded, and settled by a late status."""

import importlib
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import reconciliation
from billing.models import AuditEntry, Credit, CreditEntry, Event
from channels_app.models import ChannelEvent
from conversations import echoes, events, refunds, retrying, unknown
from conversations.models import Delivery, Message
from conversations.refunds import NotRefundableError
from conversations.retrying import MayHaveArrivedError
from tests.conversations import answering
from tests.conversations.test_events import told
from tests.factories import AgentFactory, CustomerFactory, DeliveryFactory, InboundMessageFactory

DROPPED = {"drop_after_accept": True}
REFUSED = {"code": 131026}


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


@pytest.fixture
def reply(agent, customer, graph) -> Message:
    """A reply that the channel took without saying so; its turn was charged."""
    graph.behave(graph={"script": [DROPPED]})
    InboundMessageFactory(customer=customer, text="Hello", sent_at=timezone.now())
    answering.drain(agent.phone_number_id)
    return Message.objects.get(author="ai")


def overdue() -> None:
    Message.objects.filter(status="unknown").update(unknown_at=timezone.now() - timedelta(minutes=5))


def reported() -> list[str]:
    return list(Event.objects.filter(type="message.unknown").values_list("data__message_id", flat=True))


def balance() -> int:
    assert reconciliation.faults() == []
    return Credit.objects.get().remaining_credits


def status_of(reply: Message) -> str:
    reply.refresh_from_db()
    return reply.status


def attempt(number: int) -> Delivery:
    return Delivery.objects.get(attempt=number)


def send_again(reply: Message) -> None:
    assert retrying.retry(message_id=reply.pk, may_repeat=True) is True
    retrying.send(message_id=reply.pk)


class TestUnknownReply:
    def test_has_its_own_status_and_keeps_its_charge(self, reply):
        assert (status_of(reply), balance()) == ("unknown", 9)
        assert reply.unknown_at is not None
        assert reply.failure_reason

    def test_is_reported_once_when_it_stays_unknown(self, reply):
        assert unknown.report_overdue() == 0

        overdue()

        assert [unknown.report_overdue(), unknown.report_overdue()] == [1, 0]
        assert reported() == [reply.pk]
        [event] = Event.objects.filter(type="message.unknown")
        assert set(event.data) == {
            "message", "message_id", "phone_number_id", "author", "text", "timestamp", "reason",
            "unknown_since",
        }  # fmt: skip

    def test_is_not_reported_after_a_status_proved_it(self, reply):
        told(attempt(1), "delivered", callback_data=attempt(1).pk)
        events.apply()
        overdue()

        assert unknown.report_overdue() == 0
        assert status_of(reply) == "delivered"
        assert reply.unknown_at is None

    def test_raises_the_usual_event_when_a_status_settles_it(self, reply, agent):
        told(attempt(1), "failed", callback_data=attempt(1).pk)

        events.apply()

        assert (status_of(reply), balance()) == ("failed", 10)
        assert Event.objects.filter(type="message.failed", data__message_id=reply.pk).count() == 1

    def test_of_a_dead_sender_is_marked_by_the_sweeper(self, db):
        delivery = DeliveryFactory(
            state="sending", lease_expires_at=timezone.now() - timedelta(minutes=2), message__status="pending"
        )

        assert unknown.give_up_stuck() == 1

        assert status_of(delivery.message) == "unknown"

    def test_in_a_web_chat_is_sent_again_since_nothing_is_posted(self, transactional_db, valkey):
        delivery = DeliveryFactory(
            state="sending", lease_expires_at=timezone.now() - timedelta(minutes=2), turn__state="done",
            message__status="pending", turn__conversation__customer__phone_number__type="webchat",
        )  # fmt: skip
        unknown.give_up_stuck()

        retrying.send(message_id=delivery.message_id)

        assert status_of(delivery.message) == "sent"

    def test_is_settled_by_an_echo(self, db):
        delivery = DeliveryFactory(
            state="unknown", message__status="pending", message__text="Hi", text="Hi",
            turn__conversation__customer__wa_id=None, turn__conversation__customer__ig_id="ig-1",
        )  # fmt: skip
        event = ChannelEvent.objects.create(
            phone_number=delivery.phone_number, kind="echo", event_key="e", provider_message_id="mid.1",
            person={"ig_id": "ig-1"}, data={"text": "Hi"}, payload={}, occurred_at=timezone.now(),
        )  # fmt: skip

        echoes.note_echo(event)

        assert status_of(delivery.message) == "sent"


class TestRetry:
    def test_without_may_repeat_is_refused(self, reply):
        with pytest.raises(MayHaveArrivedError):
            retrying.retry(message_id=reply.pk)

        assert Delivery.objects.count() == 1

    def test_with_may_repeat_sends_it_again_and_costs_nothing_more(self, graph, reply):
        send_again(reply)

        assert len(graph.requests(api="graph")) == 2
        assert (status_of(reply), balance()) == ("sent", 9)

    def test_begins_once(self, reply):
        assert retrying.retry(message_id=reply.pk, may_repeat=True) is True
        assert retrying.retry(message_id=reply.pk, may_repeat=True) is False
        assert Delivery.objects.count() == 2

    def test_that_fails_leaves_the_reply_unknown_and_paid(self, graph, reply):
        graph.behave(graph={"script": [REFUSED]})

        send_again(reply)

        assert (status_of(reply), balance()) == ("unknown", 9)
        overdue()
        assert unknown.report_overdue() == 1

    def test_that_fails_is_refunded_once_the_first_attempt_has_failed_too(self, graph, reply):
        graph.behave(graph={"script": [REFUSED]})
        send_again(reply)
        told(attempt(1), "failed", callback_data=attempt(1).pk)

        events.apply()

        assert (status_of(reply), balance()) == ("failed", 10)

    @pytest.mark.parametrize("late", ["delivered", "failed"])
    def test_that_arrives_is_paid_once_whatever_the_first_attempt_proves(self, reply, late):
        send_again(reply)
        told(attempt(1), late, callback_data=attempt(1).pk, provider_message_id="wamid.late")

        events.apply()

        assert (status_of(reply), balance()) == ("delivered" if late == "delivered" else "sent", 9)

    def test_is_not_posted_when_the_first_attempt_proves_to_have_arrived(self, graph, reply):
        retrying.retry(message_id=reply.pk, may_repeat=True)
        told(attempt(1), "delivered", callback_data=attempt(1).pk)
        events.apply()

        retrying.send(message_id=reply.pk)

        assert len(graph.requests(api="graph")) == 1
        assert (attempt(2).state, status_of(reply), balance()) == ("cancelled", "delivered", 9)

    def test_after_a_refund_is_charged(self, reply):
        refunds.refund_by_hand(message_id=reply.pk, reason="goodwill", actor="admin:sue")

        send_again(reply)

        assert (status_of(reply), balance()) == ("sent", 9)


class TestRefundByHand:
    def test_gives_the_charge_back_once_and_names_who_and_why(self, reply):
        assert refunds.refund_by_hand(message_id=reply.pk, reason="goodwill", actor="admin:sue") == 1

        with pytest.raises(NotRefundableError):
            refunds.refund_by_hand(message_id=reply.pk, reason="again", actor="admin:sue")
        line = CreditEntry.objects.get(kind="refund")
        assert (line.reference, line.reason, line.actor) == (reply.turn_id, "goodwill", "admin:sue")
        assert AuditEntry.objects.filter(action="credits.refunded").count() == 1
        assert balance() == 10

    @pytest.mark.parametrize("late", ["delivered", "failed"])
    def test_is_not_repeated_by_a_late_status(self, reply, late):
        refunds.refund_by_hand(message_id=reply.pk, reason="goodwill", actor="admin:sue")
        told(attempt(1), late, callback_data=attempt(1).pk)

        events.apply()

        assert (status_of(reply), balance()) == (late, 10)

    def test_of_a_reply_that_arrived_is_refused(self, reply):
        told(attempt(1), "delivered", callback_data=attempt(1).pk)
        events.apply()

        with pytest.raises(NotRefundableError):
            refunds.refund_by_hand(message_id=reply.pk, reason="goodwill", actor="admin:sue")

        assert balance() == 9


class TestUpgrade:
    def test_marks_existing_messages_and_reports_them(self, db):
        lost = DeliveryFactory(state="unknown", message__status="pending").message
        mixed = DeliveryFactory(state="unknown", message__status="pending").message
        DeliveryFactory(message=mixed, turn=mixed.turn, part=2, state="pending")
        proven = DeliveryFactory(state="sent", message__status="sent").message

        migration = importlib.import_module("conversations.migrations.0011_wipe_taken_back_and_mark_unknown")
        migration.forward(None, None)

        assert [status_of(message) for message in (lost, mixed, proven)] == ["unknown", "pending", "sent"]
        overdue()
        assert (unknown.report_overdue(), reported()) == (1, [lost.pk])
