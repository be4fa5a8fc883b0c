"""Events are sent to an endpoint once more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import events
from billing.events import EventType
from billing.models import Event, WebhookDelivery
from billing.webhooks import endpoints, redelivery
from billing.webhooks.endpoints import EndpointDisabledError, EndpointNotFoundError
from billing.webhooks.redelivery import TooManyEventsError
from tests.factories import UserFactory, WebhookEndpointFactory


@pytest.fixture
def endpoint(db):
    return WebhookEndpointFactory()


def told(user_id: str, type_: EventType = EventType.LEAD_CREATED, *, conversation_id: str = "") -> Event:
    events.record(user_id=user_id, type=type_, data={}, conversation_id=conversation_id)
    return Event.objects.latest("sequence")


def tried(delivery: WebhookDelivery, state: str) -> WebhookDelivery:
    """Have a delivery as it is after a day of attempts."""
    now = timezone.now()
    delivery.state, delivery.attempts, delivery.ended_at = state, 9, now
    delivery.due_at = delivery.wanted_at = now - timedelta(days=1)
    delivery.log = [{"at": now.isoformat(), "status": 500, "milliseconds": 3, "error": ""}]
    delivery.save()
    return delivery


def lately(**more):
    now = timezone.now()
    return {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1), **more}


def states(endpoint) -> list[str]:
    return list(endpoint.deliveries.order_by("delivery_id").values_list("state", flat=True))


class TestAgain:
    @pytest.mark.parametrize("state", ["failed", "delivered"])
    def test_starts_anew_and_keeps_the_log(self, endpoint, state):
        told(endpoint.user_id)
        delivery, before = tried(endpoint.deliveries.get(), state), timezone.now()

        redelivery.again(delivery)

        kept = WebhookDelivery.objects.get()
        assert (kept.state, kept.attempts, kept.ended_at, len(kept.log)) == ("pending", 0, None, 1)
        assert kept.wanted_at >= before - timedelta(seconds=1)
        assert kept.due_at <= timezone.now()
        assert (delivery.state, delivery.attempts) == ("pending", 0)

    def test_does_not_wait_for_the_next_attempt(self, endpoint):
        told(endpoint.user_id)
        endpoint.deliveries.update(due_at=timezone.now() + timedelta(hours=10), attempts=5)

        redelivery.again(endpoint.deliveries.get())

        assert endpoint.deliveries.get().due_at <= timezone.now()

    def test_leaves_one_alone_that_is_being_posted(self, endpoint):
        told(endpoint.user_id)
        lease = "00000000-0000-0000-0000-000000000001"
        until = timezone.now() + timedelta(minutes=1)
        endpoint.deliveries.update(lease_token=lease, lease_expires_at=until, attempts=2)

        redelivery.again(endpoint.deliveries.get())

        kept = endpoint.deliveries.get()
        assert (str(kept.lease_token), kept.lease_expires_at, kept.attempts) == (lease, until, 2)

    def test_is_refused_where_nothing_is_sent(self, endpoint):
        told(endpoint.user_id)
        delivery = tried(endpoint.deliveries.get(), "failed")
        endpoints.change(endpoint, is_enabled=False)

        with pytest.raises(EndpointDisabledError):
            redelivery.again(delivery)

        endpoints.remove(endpoint)
        with pytest.raises(EndpointNotFoundError):
            redelivery.again(delivery)
        assert states(endpoint) == ["failed"]


class TestSpan:
    def test_takes_what_came_while_the_endpoint_was_off_or_not_there(self, db):
        user = UserFactory()
        before = told(user.user_id, conversation_id="cnv_1")
        endpoint = WebhookEndpointFactory(user=user)
        endpoints.change(endpoint, is_enabled=False)
        told(user.user_id)
        endpoints.change(endpoint, is_enabled=True)

        count = redelivery.span(endpoint, **lately())

        made = endpoint.deliveries.get(event=before)
        assert (count, states(endpoint)) == (2, ["pending", "pending"])
        assert made.conversation_id == "cnv_1"
        assert made.delivery_id == f"whd_{before.event_id[4:]}_{endpoint.endpoint_id[-8:]}"

    def test_starts_anew_what_ended_and_leaves_what_waits(self, endpoint):
        for _ in range(3):
            told(endpoint.user_id)
        waiting, taken, lost = endpoint.deliveries.order_by("delivery_id")
        waiting.attempts, waiting.due_at = 4, timezone.now() + timedelta(hours=1)
        waiting.save()
        tried(taken, "delivered")
        tried(lost, "failed")

        count = redelivery.span(endpoint, **lately())

        attempts = endpoint.deliveries.order_by("delivery_id").values_list("attempts", flat=True)
        assert (count, states(endpoint), list(attempts)) == (2, ["pending"] * 3, [4, 0, 0])
        assert endpoint.deliveries.get(pk=waiting.pk).due_at == waiting.due_at

    def test_takes_only_what_failed_if_told_so(self, endpoint):
        told(endpoint.user_id)
        told(endpoint.user_id)
        taken, lost = endpoint.deliveries.order_by("delivery_id")
        tried(taken, "delivered")
        tried(lost, "failed")
        other = WebhookEndpointFactory(user=endpoint.user)

        counts = [redelivery.span(each, **lately(only_failed=True)) for each in (endpoint, other)]

        assert counts == [1, 0]
        assert states(endpoint) == ["delivered", "pending"]

    def test_takes_what_the_endpoint_is_told_and_no_more_than_was_asked_for(self, db):
        user = UserFactory()
        for type_ in (EventType.LEAD_CREATED, EventType.LEAD_UPDATED, EventType.CREDITS_LOW):
            told(user.user_id, type_)
        endpoint = WebhookEndpointFactory(user=user, types=["lead.created", "lead.updated"])

        few = redelivery.span(endpoint, **lately(types=["lead.updated", "credits.low"]))
        rest = redelivery.span(endpoint, **lately())

        assert (few, rest) == (1, 1)

    def test_takes_neither_others_events_nor_tests_nor_other_times(self, endpoint):
        told(UserFactory().user_id)
        endpoints.send_test(endpoint)
        endpoint.deliveries.update(state="failed")
        told(endpoint.user_id)
        endpoint.deliveries.filter(event__type="lead.created").update(state="failed")
        now = timezone.now()

        past = redelivery.span(endpoint, since=now - timedelta(days=2), until=now - timedelta(days=1))

        assert past == 0
        assert redelivery.span(endpoint, **lately()) == 1

    def test_begins_with_since_and_ends_before_until(self, endpoint):
        at = told(endpoint.user_id).created_at
        endpoint.deliveries.update(state="failed")

        before = redelivery.span(endpoint, since=at - timedelta(hours=1), until=at)
        within = redelivery.span(endpoint, since=at, until=at + timedelta(microseconds=1))

        assert (before, within) == (0, 1)

    def test_does_nothing_twice(self, endpoint):
        told(endpoint.user_id)
        endpoint.deliveries.update(state="failed")

        assert [redelivery.span(endpoint, **lately()) for _ in range(2)] == [1, 0]

    def test_refuses_more_than_is_sent_at_once(self, endpoint, monkeypatch):
        monkeypatch.setattr(redelivery, "MOST", 2)
        for _ in range(3):
            told(endpoint.user_id)
        endpoint.deliveries.update(state="failed")

        with pytest.raises(TooManyEventsError, match="more than 2 events"):
            redelivery.span(endpoint, **lately())

        assert states(endpoint) == ["failed"] * 3

    def test_is_refused_where_nothing_is_sent(self, endpoint):
        endpoints.change(endpoint, is_enabled=False)

        with pytest.raises(EndpointDisabledError):
            redelivery.span(endpoint, **lately())
