"""Promises of events.md that no other test shows; tests/documentation/promises.toml lists all."""

import json

import pytest
from django.utils import timezone

from billing import events
from billing.events import EventType
from billing.models import Email, User, WebhookDelivery, WebhookEndpoint
from billing.webhooks import delivery, endpoints
from tests.api import caller


def record(endpoint, **data) -> None:
    events.record(user_id=endpoint.user_id, type=EventType.LEAD_CREATED, data=data)


def deliver(endpoint) -> int:
    return delivery.deliver(endpoint_id=endpoint.pk)


def test_event_has_one_id_at_all_endpoints(receiver, endpoint):
    other, _ = endpoints.create(user_id=endpoint.user_id, url=f"{receiver.url}/other")
    record(endpoint)

    assert [deliver(one) for one in (endpoint, other)] == [1, 1]

    assert len({post["headers"]["webhook-id"] for post in receiver.posts}) == 1


def test_each_attempt_has_its_own_timestamp(receiver, endpoint):
    record(endpoint)
    receiver.plan({"status": 500})
    deliver(endpoint)
    WebhookDelivery.objects.update(due_at=timezone.now())
    deliver(endpoint)

    first, second = (int(post["headers"]["webhook-timestamp"]) for post in receiver.posts)
    made = [entry["at"] for entry in WebhookDelivery.objects.get().log]
    assert abs(first - timezone.now().timestamp()) < 60
    assert second >= first
    assert [moment[-1] for moment in made] == ["Z", "Z"]


def test_event_without_a_conversation_has_null(receiver, endpoint):
    record(endpoint)

    deliver(endpoint)

    assert json.loads(receiver.posts[0]["body"])["conversation_id"] is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_status_from_200_to_299_counts_as_taken(receiver, endpoint, status):
    record(endpoint)
    receiver.plan({"status": status})

    deliver(endpoint)

    assert WebhookDelivery.objects.get().state == "delivered"


@pytest.mark.parametrize(("notify_email", "receives"), [("ops@example.com", "notify_email"), ("", "email")])
def test_business_is_written_to_when_its_endpoint_is_switched_off(receiver, endpoint, notify_email, receives):
    User.objects.update(notify_email=notify_email)
    record(endpoint)
    receiver.plan({"status": 410})

    deliver(endpoint)

    [mail] = Email.objects.all()
    assert mail.to == getattr(User.objects.get(pk=endpoint.user_id), receives)
    assert WebhookEndpoint.objects.get().disabled_reason


def test_event_is_not_queued_for_an_endpoint_that_is_switched_off(receiver, endpoint):
    endpoints.change(endpoint, is_enabled=False)
    record(endpoint)

    endpoints.change(endpoint, is_enabled=True)

    assert (WebhookDelivery.objects.count(), deliver(endpoint)) == (0, 0)


def test_endpoint_cannot_ask_for_tests(receiver, endpoint):
    answer = caller.business(endpoint.user_id).post(
        f"/users/{endpoint.user_id}/webhook_endpoints", {"url": receiver.url, "types": ["endpoint.test"]}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "invalid_choice"
