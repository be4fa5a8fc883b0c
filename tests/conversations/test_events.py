"""Statuses move deliveries, and with them messages, forward."""

from itertools import permutations

import pytest

from billing import ledger
from billing.models import Credit, CreditEntry
from channels_app.models import ChannelEvent
from conversations import events
from conversations.models import Delivery
from tests.factories import SENT_AT, DeliveryFactory

ERROR = {"code": 131026, "title": "Message undeliverable"}


def told(delivery: Delivery, status: str, **changes) -> ChannelEvent:
    """Let the channel have told a status of a delivery."""
    errors = {"errors": [ERROR]} if status == "failed" else {}
    usual = {
        "phone_number": delivery.phone_number,
        "kind": "status",
        "event_key": f"{delivery.pk}:{status}",
        "provider_message_id": delivery.provider_message_id or "wamid.1",
        "payload": {"status": status, **errors},
        "occurred_at": SENT_AT,
    }
    return ChannelEvent.objects.create(**{**usual, **changes})


@pytest.fixture
def delivery(db) -> Delivery:
    """A reply that was sent, and paid for."""
    delivery = DeliveryFactory(state="sent", provider_message_id="wamid.1", message__status="sent")
    turn = delivery.message.turn
    ledger.charge(user_id=turn.snapshot["user_id"], amount=1, reference=turn.turn_id)
    return delivery


def state(delivery: Delivery) -> tuple[str, str]:
    delivery.refresh_from_db()
    delivery.message.refresh_from_db()
    return delivery.state, delivery.message.status


def balance() -> int:
    return Credit.objects.get().remaining_credits


class TestApply:
    @pytest.mark.parametrize("status", ["delivered", "read"])
    def test_moves_the_delivery_and_its_message(self, delivery, status):
        event = told(delivery, status)

        assert events.apply() == 1

        event.refresh_from_db()
        assert state(delivery) == (status, status)
        assert (event.outcome, event.applied_at is None) == ("applied", False)

    def test_does_so_once(self, delivery):
        told(delivery, "delivered")

        assert [events.apply(), events.apply()] == [1, 0]

    def test_takes_played_for_read(self, delivery):
        told(delivery, "played")

        events.apply()

        assert state(delivery) == ("read", "read")

    @pytest.mark.parametrize("status", ["warned", "", "SENT", "pending", "unknown", "cancelled"])
    def test_is_not_troubled_by_a_status_nobody_knows(self, delivery, status):
        told(delivery, status)

        events.apply()

        assert state(delivery) == ("sent", "sent")

    @pytest.mark.parametrize("payload", [{}, {"status": None}, {"status": 7}, {"status": {"a": 1}}])
    def test_is_not_troubled_by_a_payload_that_makes_no_sense(self, delivery, payload):
        told(delivery, "sent", payload=payload)
        told(delivery, "read")

        events.apply()

        assert state(delivery) == ("read", "read")

    def test_takes_more_than_a_batch(self, delivery, monkeypatch):
        monkeypatch.setattr(events, "BATCH", 2)
        for status in ("sent", "delivered", "read", "played", "failed"):
            told(delivery, status)

        assert events.apply() == 5
        assert state(delivery) == ("read", "read")

    def test_gives_a_message_of_two_parts_the_status_of_the_later(self, delivery):
        second = DeliveryFactory(
            message=delivery.message, turn=delivery.message.turn, part=2, state="sent",
            provider_message_id="wamid.2",
        )  # fmt: skip
        told(delivery, "read")
        told(second, "delivered")

        events.apply()

        assert state(delivery) == ("read", "delivered")


class TestOrder:
    @pytest.mark.parametrize("order", [*permutations(["sent", "delivered", "read"])], ids="-".join)
    @pytest.mark.parametrize("at_once", [True, False])
    def test_of_statuses_does_not_matter(self, delivery, order, at_once):
        for status in order:
            told(delivery, status)
            at_once or events.apply()
        events.apply()

        assert state(delivery) == ("read", "read")
        assert balance() == 9

    @pytest.mark.parametrize("order", [*permutations(["sent", "delivered", "failed"])], ids="-".join)
    def test_with_a_failure_among_them_does_not_matter_to_the_state(self, delivery, order):
        for status in order:
            told(delivery, status)
            events.apply()

        assert state(delivery) == ("delivered", "delivered")

    @pytest.mark.parametrize("order", [*permutations(["sent", "failed"])], ids="-".join)
    @pytest.mark.parametrize("at_once", [True, False])
    def test_of_sent_and_failed_does_not_matter(self, delivery, order, at_once):
        for status in order:
            told(delivery, status)
            at_once or events.apply()
        events.apply()

        assert state(delivery) == ("failed", "failed")
        assert balance() == 10


class TestFailure:
    def test_after_sent_says_why_and_gives_the_credit_back(self, delivery):
        told(delivery, "failed")

        events.apply()

        assert state(delivery) == ("failed", "failed")
        assert delivery.error == delivery.message.failure_reason == "131026: Message undeliverable"
        assert delivery.message.failed_at is not None
        assert balance() == 10

    def test_told_twice_gives_it_back_once(self, delivery):
        told(delivery, "failed")
        events.apply()
        told(delivery, "failed", event_key="again")

        events.apply()

        assert balance() == 10
        assert CreditEntry.objects.filter(kind="refund").count() == 1

    @pytest.mark.parametrize("reached", ["delivered", "read"])
    def test_after_it_arrived_is_not_believed(self, delivery, reached):
        told(delivery, reached)
        events.apply()
        told(delivery, "failed")

        events.apply()

        assert state(delivery) == (reached, reached)
        assert balance() == 9

    @pytest.mark.parametrize("before", ["sending", "unknown"])
    def test_of_a_send_nobody_was_sure_of_gives_the_credit_back(self, delivery, before):
        Delivery.objects.update(state=before)
        told(delivery, "failed")

        events.apply()

        assert state(delivery) == ("failed", "failed")
        assert balance() == 10

    def test_of_one_part_of_two_gives_back_the_whole_charge_once(self, delivery):
        second = DeliveryFactory(
            message=delivery.message, turn=delivery.message.turn, part=2, state="sent",
            provider_message_id="wamid.2",
        )  # fmt: skip
        told(delivery, "failed")
        told(second, "failed")

        events.apply()

        assert state(delivery) == ("failed", "failed")
        assert balance() == 10
