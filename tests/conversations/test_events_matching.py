"""Which delivery a status speaks of."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.models import ChannelEvent
from conversations import events
from conversations.models import Delivery
from tests.conversations.test_events import told
from tests.factories import DeliveryFactory, PhoneNumberFactory


@pytest.fixture
def delivery(db) -> Delivery:
    """A delivery of which nobody knows yet how it went."""
    return DeliveryFactory(state="sending")


def state(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return delivery.state


class TestMatch:
    def test_is_made_by_our_id_before_the_providers_is_known(self, delivery):
        told(delivery, "sent", callback_data=delivery.pk)

        events.apply()

        assert state(delivery) == "sent"
        assert delivery.provider_message_id == "wamid.1"

    def test_by_our_id_proves_that_a_send_arrived(self, delivery):
        Delivery.objects.update(state="unknown", error="no_answer")
        told(delivery, "delivered", callback_data=delivery.pk)

        events.apply()

        assert (state(delivery), delivery.error) == ("delivered", "")

    def test_by_our_id_is_not_made_where_the_providers_is_another(self, delivery):
        Delivery.objects.update(provider_message_id="wamid.other", state="sent")
        told(delivery, "read", callback_data=delivery.pk, provider_message_id="wamid.1")

        events.apply()

        assert state(delivery) == "sent"

    @pytest.mark.parametrize("by", ["provider", "callback"])
    def test_is_never_made_across_numbers(self, delivery, by):
        Delivery.objects.update(provider_message_id="wamid.1", state="sent")
        other = PhoneNumberFactory()
        told(delivery, "read", phone_number=other, callback_data=delivery.pk if by == "callback" else "")

        events.apply()

        assert state(delivery) == "sent"

    def test_is_made_with_one_of_many(self, delivery):
        others = DeliveryFactory.create_batch(3, state="sent")
        for n, other in enumerate(others):
            Delivery.objects.filter(pk=other.pk).update(provider_message_id=f"wamid.{n}")
            other.refresh_from_db()
        told(others[1], "read")

        events.apply()

        assert [state(other) for other in others] == ["sent", "read", "sent"]
        assert state(delivery) == "sending"

    def test_is_not_made_with_an_event_of_another_kind(self, delivery):
        Delivery.objects.update(provider_message_id="wamid.1", state="sent")
        told(delivery, "read", kind="echo")

        events.apply()

        assert state(delivery) == "sent"


class TestUnmatched:
    def test_waits_for_its_delivery(self, delivery):
        event = told(delivery, "sent")

        assert events.apply() == 0

        event.refresh_from_db()
        assert event.applied_at is None
        assert event.apply_after > timezone.now()

    def test_is_applied_when_the_delivery_becomes_known(self, delivery):
        told(delivery, "sent")
        events.apply()
        Delivery.objects.update(provider_message_id="wamid.1")
        ChannelEvent.objects.update(apply_after=timezone.now())

        assert events.apply() == 1
        assert state(delivery) == "sent"

    def test_waits_longer_each_time(self, delivery):
        pauses = []
        for age in (0, 10, 60):
            told(
                delivery, "sent", event_key=str(age), received_at=timezone.now() - timedelta(seconds=age)
            )  # fmt: skip
            events.apply()
            event = ChannelEvent.objects.get(event_key=str(age))
            pauses.append(event.apply_after - timezone.now())

        assert pauses == sorted(pauses)
        assert pauses[2] > timedelta(seconds=55)

    def test_is_given_up_in_the_end(self, delivery):
        event = told(delivery, "sent", received_at=timezone.now() - timedelta(minutes=11))

        assert events.apply() == 0

        event.refresh_from_db()
        assert (event.outcome, event.applied_at is None) == ("unmatched", False)

    def test_holds_up_nobody(self, delivery):
        told(delivery, "sent", event_key="unmatched", provider_message_id="wamid.unknown")
        Delivery.objects.update(provider_message_id="wamid.1")
        told(delivery, "read")

        assert events.apply() == 1
        assert state(delivery) == "read"
