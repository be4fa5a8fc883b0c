"""
Posts events to endpoints, each until it is taken, for three days.

An endpoint's deliveries are claimed one by one, oldest first, of one conversation one at a time. A claim is a
lease: whoever dies with it leaves the delivery to be posted again, under the same `webhook-id`. An endpoint
that fails again and again is left alone for a while, and then asked one at a time.
"""

import random
import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from billing import mail
from billing.models import User, WebhookDelivery, WebhookEndpoint
from billing.webhooks import posting
from billing.webhooks.posting import Outcome
from config.lib import locks, sql, stopping
from config.lib.jobs import Job, ring, ring_now
from config.lib.locks import Lock

log = structlog.get_logger(__name__)

# Longer than a POST takes, and writing down how it ended.
LEASE = posting.TIMEOUT + 15
# In flight at once to one endpoint, while it works.
ENDPOINT_CONCURRENCY = 8
# A drain ends after this many seconds and rings again, so that no endpoint keeps a thread from others.
SLICE = 20.0
PATIENCE = timedelta(days=3)
# Seconds until the next attempt; the last one stays.
BACKOFF = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200)
# So many failures in a row, and an endpoint is left alone for a while, five minutes at most.
PATIENT_FAILURES = 5
LONGEST_PAUSE = 300
GONE = 410

_busy = 0
_lock = threading.Lock()


def due_endpoints() -> list[str]:
    """List the endpoints that something may be posted to now."""
    return [row["endpoint_id"] for row in sql.rows(_DUE_ENDPOINTS)]


# By the index of what is due, endpoint by endpoint: there are few endpoints, and may be many deliveries.
_DUE_ENDPOINTS = """
    SELECT endpoint_id
      FROM webhook_endpoints AS endpoint
     WHERE deleted_at IS NULL AND disabled_at IS NULL
       AND (paused_until IS NULL OR paused_until <= statement_timestamp())
       AND EXISTS (SELECT 1 FROM webhook_deliveries AS delivery
                    WHERE delivery.endpoint_id = endpoint.endpoint_id AND delivery.state = 'pending'
                      AND delivery.due_at <= statement_timestamp())
"""


def ring_due() -> None:
    """
    Ring for each endpoint that something may be posted to now.

    :raises RedisUnavailableError: if the broker does not take it
    """
    for endpoint_id in due_endpoints():
        ring_now(Job.DELIVER_WEBHOOKS, endpoint_id=endpoint_id)


def deliver(*, endpoint_id: str) -> int:
    """Post what is due to an endpoint, and say how much that was."""
    global _busy  # noqa: PLW0603  (one number a process)
    ends_at, posted = time.monotonic() + SLICE, 0
    with _lock:
        _busy += 1
    try:
        while not stopping.is_stopping.is_set() and (claimed := _claim(endpoint_id)) is not None:
            _post(*claimed)
            posted += 1
            if time.monotonic() > ends_at:
                ring(Job.DELIVER_WEBHOOKS, endpoint_id=endpoint_id)
                break
    finally:
        with _lock:
            _busy -= 1
    return posted


# A POST that has begun is waited for: it is over soon.
stopping.register(hand_back=lambda: None, is_busy=lambda: _busy > 0)


# --- Before the POST ---------------------------------------------------------------------------------


@transaction.atomic
def _claim(endpoint_id: str) -> tuple[WebhookDelivery, WebhookEndpoint] | None:
    locks.take(Lock.WEBHOOKS, endpoint_id)
    facts = {
        "endpoint": endpoint_id,
        "token": str(uuid.uuid4()),
        "lease": LEASE,
        "most": ENDPOINT_CONCURRENCY,
        "patient": PATIENT_FAILURES,
    }
    row = sql.row(_CLAIM, facts)
    if row is None:
        return None
    found = WebhookDelivery.objects.select_related("event", "endpoint").get(pk=row["delivery_id"])
    return found, found.endpoint


# What is leased is not due before its lease ends. So what is flying is due within a lease's time, and the
# index finds it without looking at all that waits.
_CLAIM = """
    WITH endpoint AS (
        SELECT CASE WHEN failures >= %(patient)s THEN 1 ELSE %(most)s END AS room
          FROM webhook_endpoints
         WHERE endpoint_id = %(endpoint)s AND deleted_at IS NULL AND disabled_at IS NULL
           AND (paused_until IS NULL OR paused_until <= statement_timestamp())),
    flying AS (
        SELECT conversation_id FROM webhook_deliveries
         WHERE endpoint_id = %(endpoint)s AND state = 'pending'
           AND due_at > statement_timestamp()
           AND due_at <= statement_timestamp() + make_interval(secs => %(lease)s)
           AND lease_expires_at > statement_timestamp()),
    next AS (
        SELECT delivery_id FROM webhook_deliveries
         WHERE endpoint_id = %(endpoint)s AND state = 'pending'
           AND due_at <= statement_timestamp()
           AND (SELECT count(*) FROM flying) < (SELECT room FROM endpoint)
           AND (conversation_id = '' OR conversation_id NOT IN (SELECT conversation_id FROM flying))
         ORDER BY due_at, delivery_id
         LIMIT 1)
    UPDATE webhook_deliveries
       SET attempts = attempts + 1, lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           due_at = statement_timestamp() + make_interval(secs => %(lease)s)
      FROM next
     WHERE webhook_deliveries.delivery_id = next.delivery_id
    RETURNING webhook_deliveries.delivery_id
"""


# --- The POST ----------------------------------------------------------------------------------------


def _post(delivery: WebhookDelivery, endpoint: WebhookEndpoint) -> None:
    # No connection is held while somebody else is waited for.
    connection.close()
    at, began = timezone.now(), time.monotonic()
    outcome = posting.post(delivery.event, endpoint)
    entry = {
        "at": at.isoformat(),
        "status": outcome.status,
        "milliseconds": round((time.monotonic() - began) * 1000),
        "error": outcome.error,
    }
    about = {"delivery_id": delivery.delivery_id, "endpoint_id": endpoint.endpoint_id, **entry}
    (log.info if outcome.is_taken else log.warning)("webhook.posted", **about)
    sql.insist(lambda: _note(delivery, outcome, entry), until=began + LEASE)


# --- After the POST ----------------------------------------------------------------------------------


@transaction.atomic
def _note(delivery: WebhookDelivery, outcome: Outcome, entry: dict[str, Any]) -> None:
    """Write down how a POST ended, unless the lease on it was lost."""
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=delivery.endpoint_id)
    now = timezone.now()
    is_over = outcome.is_taken or now >= delivery.wanted_at + PATIENCE
    state = "delivered" if outcome.is_taken else "failed" if is_over else "pending"
    noted = sql.execute(
        _NOTE,
        {
            "delivery": delivery.delivery_id,
            "token": delivery.lease_token,
            "state": state,
            "is_over": is_over,
            "entry": Jsonb([entry]),
            "wait": _wait(delivery.attempts, outcome),
        },
    )
    if not noted:
        return
    if outcome.is_taken:
        if endpoint.failures:
            endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None
            endpoint.save(update_fields=["failures", "failing_since", "paused_until"])
        return
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    if pause := _pause(endpoint.failures, outcome):
        endpoint.paused_until = max(endpoint.paused_until or now, now + timedelta(seconds=pause))
    endpoint.save(update_fields=["failures", "failing_since", "paused_until"])
    if outcome.status == GONE:
        _disable(endpoint, "it answered that it is gone (410)")
    elif now - endpoint.failing_since >= PATIENCE:
        _disable(endpoint, "it took nothing for three days")


_NOTE = """
    UPDATE webhook_deliveries
       SET state = %(state)s, log = log || %(entry)s, lease_token = NULL, lease_expires_at = NULL,
           due_at = statement_timestamp() + make_interval(secs => %(wait)s),
           ended_at = CASE WHEN %(is_over)s THEN statement_timestamp() END
     WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
"""


def _wait(attempts: int, outcome: Outcome) -> float:
    """Give the seconds until the next attempt: longer each time, and never at the same moment for all."""
    seconds = BACKOFF[min(attempts, len(BACKOFF)) - 1]
    return max(outcome.wait, seconds * random.uniform(0.9, 1.2))


def _pause(failures: int, outcome: Outcome) -> float:
    """Give the seconds that nothing is posted to an endpoint after so many failures in a row."""
    exponent = min(failures - PATIENT_FAILURES, 10)
    return max(outcome.wait, min(LONGEST_PAUSE, 5 * 2**exponent) if exponent >= 0 else 0)


def _disable(endpoint: WebhookEndpoint, reason: str) -> None:
    """Switch an endpoint off, and write to the business; what waits for it waits on."""
    if endpoint.disabled_at is not None or endpoint.deleted_at is not None:
        return
    endpoint.disabled_at, endpoint.disabled_reason = timezone.now(), reason
    endpoint.save(update_fields=["disabled_at", "disabled_reason"])
    log.warning("webhook.endpoint_disabled", endpoint_id=endpoint.endpoint_id, reason=reason)
    user = User.objects.get(pk=endpoint.user_id)
    mail.write(
        user_id=user.user_id,
        to=user.notify_email or user.email,
        subject="A webhook endpoint was switched off",
        body=f"Your webhook endpoint {endpoint.endpoint_id} was switched off: {reason}.\n\n"
        f"{endpoint.url}\n\n"
        "Switch it on again when it works. What happened meanwhile can then be delivered again.\n",
        reference=f"endpoint:{endpoint.endpoint_id}:{endpoint.disabled_at.isoformat()}",
    )
