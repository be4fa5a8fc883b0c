"""
Webhook endpoints: made, changed, switched off and on, and tried out.

An endpoint's secret is given once, when it is made or rotated.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing import audit
from billing.audit import Action
from billing.models import Event, User, WebhookDelivery, WebhookEndpoint
from billing.webhooks import signing
from billing.webhooks.addresses import UrlNotAllowedError, check_url
from config.lib import ids, sql
from config.lib.jobs import Job, ring

__all__ = [
    "TYPES",
    "EndpointDisabledError",
    "EndpointNotFoundError",
    "TooManyEndpointsError",
    "UrlNotAllowedError",
    "change",
    "check_url",
    "create",
    "remove",
    "require_enabled",
    "rotate_secret",
    "send_test",
]

MOST = 20
LONGEST_GRACE = timedelta(days=7)
BY_HAND = "switched off by hand"
_AUDITED = ("url", "types", "description", "disabled_at", "disabled_reason")
# What an endpoint may ask for.
TYPES = [kind.value for kind in Event.Type if kind is not Event.Type.ENDPOINT_TEST]
_TEST_MESSAGE = "This is a test. Respond with 2xx to receive events here."


class EndpointNotFoundError(Exception):
    """There is no such endpoint, or it was deleted."""


class EndpointDisabledError(Exception):
    """The endpoint is switched off, so nothing is sent to it."""


class TooManyEndpointsError(Exception):
    """The business has as many endpoints as it may have."""


@transaction.atomic
def create(
    *, user_id: str, url: str, types: list[str] | None = None, description: str = ""
) -> tuple[WebhookEndpoint, str]:
    """
    Make an endpoint that is told events of these types, or of all where there are none; give its secret, too.

    :raises UrlNotAllowedError: if no endpoint may have this URL
    :raises TooManyEndpointsError: if the business has MOST already
    """
    check_url(url)
    # So that two who make one at once do not count the same.
    User.objects.select_for_update(no_key=True).get(pk=user_id)
    if WebhookEndpoint.objects.of(user_id).live().count() >= MOST:
        raise TooManyEndpointsError(f"there are {MOST} endpoints already")
    secret = signing.new_secret()
    endpoint = WebhookEndpoint(
        endpoint_id=ids.new("whe"),
        user_id=user_id,
        url=url,
        types=_once_each(types or []),
        description=description,
    )
    endpoint.set_secret(secret)
    endpoint.save(force_insert=True)
    endpoint.refresh_from_db()
    changes = audit.difference({}, audit.snapshot(endpoint, _AUDITED))
    audit.record(Action.WEBHOOK_ENDPOINT_CREATED, endpoint.pk, user_id=user_id, changes=changes)
    return endpoint, secret


@transaction.atomic
def change(endpoint: WebhookEndpoint, **changes: Any) -> WebhookEndpoint:
    """
    Change what is said of an endpoint: `url`, `types`, `description`, `is_enabled`.

    Enabling forgets its failures, so that what waits for it is sent at once.

    :raises UrlNotAllowedError: if no endpoint may have this URL
    :raises EndpointNotFoundError: if it was deleted meanwhile
    """
    row = _locked(endpoint)
    if "url" in changes:
        check_url(changes["url"])
    if "types" in changes:
        changes["types"] = _once_each(changes["types"])
    is_enabled = changes.pop("is_enabled", None)
    if is_enabled:
        changes |= _ENABLED
    elif is_enabled is False and row.disabled_at is None:
        changes |= {"disabled_at": timezone.now(), "disabled_reason": BY_HAND}
    before = audit.snapshot(row, _AUDITED)
    _save(endpoint, row, changes)
    audit.record_update(
        Action.WEBHOOK_ENDPOINT_UPDATED,
        row.pk,
        user_id=row.user_id,
        before=before,
        after=audit.snapshot(row, _AUDITED),
    )
    if is_enabled:
        ring(Job.DELIVER_WEBHOOKS)
    return endpoint


_ENABLED: dict[str, Any] = {
    "disabled_at": None,
    "disabled_reason": "",
    "failures": 0,
    "failing_since": None,
    "paused_until": None,
}


@transaction.atomic
def remove(endpoint: WebhookEndpoint) -> None:
    """
    Delete an endpoint: nothing is sent to it any more, and its secrets are gone. Its log stays.

    :raises EndpointNotFoundError: if it was deleted before
    """
    gone = {
        "deleted_at": timezone.now(),
        "secret": "",
        "previous_secret": "",
        "previous_secret_expires_at": None,
    }
    row = _locked(endpoint)
    _save(endpoint, row, gone)
    audit.record(Action.WEBHOOK_ENDPOINT_DELETED, row.pk, user_id=row.user_id)


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, grace: timedelta) -> str:
    """
    Rotate an endpoint's secret; for `grace` the previous one signs as well.

    :raises EndpointNotFoundError: if it was deleted meanwhile
    """
    row = _locked(endpoint)
    secret = signing.new_secret()
    previous = row.secret if grace else ""
    row.set_secret(secret)
    changes = {
        "secret": row.secret,
        "previous_secret": previous,
        "previous_secret_expires_at": timezone.now() + grace if grace else None,
    }
    _save(endpoint, row, changes)
    audit.record(
        Action.WEBHOOK_ENDPOINT_SECRET_ROTATED,
        row.pk,
        user_id=row.user_id,
        changes=audit.difference({}, {"previous_secret_expires_at": row.previous_secret_expires_at}),
    )
    return secret


@transaction.atomic
def send_test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """
    Send an event of type `endpoint.test` to this endpoint alone.

    :raises EndpointDisabledError: if it is switched off
    :raises EndpointNotFoundError: if it was deleted meanwhile
    """
    row = require_enabled(endpoint)
    event = Event.objects.create(
        user_id=row.user_id,
        type=Event.Type.ENDPOINT_TEST,
        data={"endpoint_id": row.endpoint_id, "message": _TEST_MESSAGE},
    )
    sql.execute(_DELIVERY, {"event": event.event_id, "endpoint": row.endpoint_id})
    return WebhookDelivery.objects.select_related("event").get(endpoint=row, event=event)


def require_enabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """
    Lock an endpoint that something is to be sent to now: a pause after failures ends, and delivery begins.

    :raises EndpointDisabledError: if it is switched off
    :raises EndpointNotFoundError: if it was deleted meanwhile
    """
    row = _locked(endpoint)
    if row.disabled_at is not None:
        raise EndpointDisabledError(f"{row.endpoint_id} is switched off")
    if row.paused_until is not None:
        _save(endpoint, row, {"paused_until": None})
    ring(Job.DELIVER_WEBHOOKS)
    return row


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.live().select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if row is None:
        raise EndpointNotFoundError(endpoint.pk)
    return row


def _save(endpoint: WebhookEndpoint, row: WebhookEndpoint, changes: dict[str, Any]) -> None:
    """Write some columns of the locked row, and have what the caller holds say the same."""
    for name, value in changes.items():
        setattr(row, name, value)
    if changes:
        row.save(update_fields=list(changes))
    for column in row._meta.concrete_fields:  # noqa: SLF001  (documented: Django's model meta API)
        setattr(endpoint, column.attname, getattr(row, column.attname))


def _once_each(types: list[str]) -> list[str]:
    return list(dict.fromkeys(types))


def delivery_id(*, event: str) -> str:
    """Return SQL for a delivery's id, as migration 0008's trigger makes it; `event` is its event's id."""
    return f"'whd_' || substr({event}, 5) || '_' || right(%(endpoint)s, 8)"


# The trigger leaves out tests.
_DELIVERY = f"""
    INSERT INTO webhook_deliveries (delivery_id, endpoint_id, event_id)
    VALUES ({delivery_id(event="%(event)s")}, %(endpoint)s, %(event)s)
"""  # noqa: S608  (our own words)
