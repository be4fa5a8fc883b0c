"""
Posts events to endpoints, each until it is taken, for three days.

An endpoint's deliveries are claimed one by one, oldest first, of one conversation one at a time. A claim is a
lease: whoever dies with it leaves the delivery to be posted again, under the same `webhook-id`. An endpoint
that fails again and again is left alone for a while, and then asked one at a time.

No business delays another: the posts in flight to all endpoints of one business are limited, and slow
endpoints are posted to by threads of their own.
"""

import random
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from billing import mail
from billing.models import User, WebhookDelivery, WebhookEndpoint
from billing.webhooks import posting
from billing.webhooks.posting import Outcome
from config.lib import job_threads, locks, metrics, shutdown, sql
from config.lib.jobs import Job, ring, ring_now
from config.lib.locks import Lock
from config.lib.texts import timestamp

log = structlog.get_logger(__name__)

# Longer than a POST takes, and writing down how it ended.
LEASE = posting.TIMEOUT + 15
# One business has at most this part of the threads, so that the others always find one.
SHARE = 3
# An endpoint that took longer than this to answer, in seconds, is slow for the next minute.
SLOW_AFTER = 2.0
SLOW_FOR = timedelta(minutes=1)
# A drain ends after this many seconds and rings again, so that no endpoint keeps a thread from others.
SLICE = 1.0
PATIENCE = timedelta(days=3)
# Seconds until the next attempt; the last one stays.
BACKOFF = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200)
# So many failures in a row, and an endpoint is left alone for a while, five minutes at most.
PATIENT_FAILURES = 5
LONGEST_PAUSE = 300
GONE = 410

_busy = 0
_lock = threading.Lock()


def due_endpoints() -> dict[str, bool]:
    """Return the endpoints that something may be posted to now, and whether they are slow."""
    return {row["endpoint_id"]: row["is_slow"] for row in sql.rows(_DUE_ENDPOINTS)}


_IS_SLOW = "COALESCE(slow_until > statement_timestamp(), false)"

# By the index of what is due, endpoint by endpoint: there are few endpoints, and may be many deliveries.
_DUE_ENDPOINTS = f"""
    SELECT endpoint_id, {_IS_SLOW} AS is_slow
      FROM webhook_endpoints AS endpoint
     WHERE deleted_at IS NULL AND disabled_at IS NULL
       AND (paused_until IS NULL OR paused_until <= statement_timestamp())
       AND EXISTS (SELECT 1 FROM webhook_deliveries AS delivery
                    WHERE delivery.endpoint_id = endpoint.endpoint_id AND delivery.state = 'pending'
                      AND delivery.due_at <= statement_timestamp())
"""  # noqa: S608  (our own words)


def ring_due() -> None:
    """
    Ring for each endpoint that something may be posted to now.

    :raises RedisUnavailableError: if the broker does not take it
    """
    for endpoint_id, is_slow in due_endpoints().items():
        ring_now(_job(is_slow=is_slow), endpoint_id=endpoint_id)


def _job(*, is_slow: bool) -> Job:
    return Job.DELIVER_SLOW_WEBHOOKS if is_slow else Job.DELIVER_WEBHOOKS


def slots(*, is_slow: bool) -> int:
    """Return how many posts to the slow, or to the other, endpoints of one business are in flight at most."""
    threads = job_threads.THREADS[Job.DELIVER_SLOW_WEBHOOKS] if is_slow else settings.NOTIFIER_CONCURRENCY
    return max(1, threads // SHARE)


def deliver(*, endpoint_id: str, is_slow: bool = False) -> int:
    """
    Post what is due to an endpoint, and return how much that was.

    Nothing is posted to an endpoint that has become slow, or is not slow any more: others do that.
    """
    global _busy  # noqa: PLW0603  (one number a process)
    ends_at, posted = time.monotonic() + SLICE, 0
    with _lock:
        _busy += 1
    try:
        while not shutdown.is_stopping.is_set():
            if (claimed := _claim(endpoint_id, is_slow=is_slow)) is None:
                break
            if claimed.is_more and not posted:
                # One thread after the other, until all slots are used.
                ring(_job(is_slow=is_slow), endpoint_id=endpoint_id)
            _post(claimed.delivery)
            posted += 1
            if time.monotonic() > ends_at:
                ring(_job(is_slow=is_slow), endpoint_id=endpoint_id)
                break
    finally:
        with _lock:
            _busy -= 1
    return posted


# A POST that has begun is waited for: it is over soon.
shutdown.register(hand_back=lambda: None, is_busy=lambda: _busy > 0)


# --- Before the POST ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A delivery that this process posts; `is_more`: another one is due at the same endpoint."""

    delivery: WebhookDelivery
    is_more: bool


@transaction.atomic
def _claim(endpoint_id: str, *, is_slow: bool = False) -> _Claimed | None:
    owner = sql.row("SELECT user_id FROM webhook_endpoints WHERE endpoint_id = %s", [endpoint_id])
    if owner is None:
        return None
    locks.take(Lock.WEBHOOKS, owner["user_id"])
    facts = {
        "endpoint": endpoint_id,
        "user": owner["user_id"],
        "is_slow": is_slow,
        "token": str(uuid.uuid4()),
        "lease": LEASE,
        "slots": slots(is_slow=is_slow),
        "patient": PATIENT_FAILURES,
    }
    row = sql.row(_CLAIM, facts)
    if row is None:
        return None
    delivery = WebhookDelivery.objects.select_related("event", "endpoint").get(pk=row["delivery_id"])
    return _Claimed(delivery, row["is_more"])


# What is leased is not due before its lease ends. So what is flying is due within a lease's time, and the
# index finds it without looking at all that waits.
_CLAIM = f"""
    WITH endpoint AS (
        SELECT failures
          FROM webhook_endpoints
         WHERE endpoint_id = %(endpoint)s AND deleted_at IS NULL AND disabled_at IS NULL
           AND (paused_until IS NULL OR paused_until <= statement_timestamp())
           AND {_IS_SLOW} = %(is_slow)s),
    flying AS (
        SELECT delivery.endpoint_id, delivery.conversation_id
          FROM webhook_endpoints AS sibling
          JOIN webhook_deliveries AS delivery USING (endpoint_id)
         WHERE sibling.user_id = %(user)s AND sibling.deleted_at IS NULL AND {_IS_SLOW} = %(is_slow)s
           AND delivery.state = 'pending'
           AND delivery.due_at > statement_timestamp()
           AND delivery.due_at <= statement_timestamp() + make_interval(secs => %(lease)s)
           AND delivery.lease_expires_at > statement_timestamp()),
    mine AS (SELECT conversation_id FROM flying WHERE endpoint_id = %(endpoint)s),
    next AS (
        SELECT delivery_id, due_at FROM webhook_deliveries
         WHERE endpoint_id = %(endpoint)s AND state = 'pending'
           AND due_at <= statement_timestamp()
           AND (SELECT failures < %(patient)s OR NOT EXISTS (SELECT FROM mine) FROM endpoint)
           AND (SELECT count(*) FROM flying) < %(slots)s
           AND (conversation_id = '' OR conversation_id NOT IN (SELECT conversation_id FROM mine))
         ORDER BY due_at, delivery_id
         LIMIT 2)
    UPDATE webhook_deliveries
       SET attempts = attempts + 1, lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           due_at = statement_timestamp() + make_interval(secs => %(lease)s)
     WHERE delivery_id = (SELECT delivery_id FROM next ORDER BY due_at, delivery_id LIMIT 1)
    RETURNING delivery_id, (SELECT count(*) FROM next) > 1 AS is_more
"""  # noqa: S608  (our own words)


# --- The POST ----------------------------------------------------------------------------------------


def _post(delivery: WebhookDelivery) -> None:
    # No connection is held while somebody else is waited for.
    connection.close()
    at, began = timezone.now(), time.monotonic()
    outcome = posting.post(delivery.event, delivery.endpoint)
    entry = {
        "at": timestamp(at),
        "status": outcome.status,
        "milliseconds": round((time.monotonic() - began) * 1000),
        "error": outcome.error,
    }
    metrics.ENDPOINT_POSTS.labels("ok" if outcome.is_taken else "error").observe(time.monotonic() - began)
    about = {"delivery_id": delivery.delivery_id, "endpoint_id": delivery.endpoint_id, **entry}
    (log.info if outcome.is_taken else log.warning)("webhook.posted", **about)
    sql.retry_until(lambda: _note(delivery, outcome, entry), until=began + LEASE)


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
    is_slow = entry["milliseconds"] > SLOW_AFTER * 1000
    if is_slow:
        endpoint.slow_until = now + SLOW_FOR
    if outcome.is_taken:
        if endpoint.failures or is_slow:
            endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None
            endpoint.save(update_fields=_NOTED)
        return
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    if pause := _pause(endpoint.failures, outcome):
        endpoint.paused_until = max(endpoint.paused_until or now, now + timedelta(seconds=pause))
    endpoint.save(update_fields=_NOTED)
    if outcome.status == GONE:
        _disable(endpoint, "it answered that it is gone (410)")
    elif now - endpoint.failing_since >= PATIENCE:
        _disable(endpoint, "it took nothing for three days")


_NOTED = ("failures", "failing_since", "paused_until", "slow_until")
_NOTE = """
    UPDATE webhook_deliveries
       SET state = %(state)s, log = log || %(entry)s, lease_token = NULL, lease_expires_at = NULL,
           due_at = statement_timestamp() + make_interval(secs => %(wait)s),
           ended_at = CASE WHEN %(is_over)s THEN statement_timestamp() END
     WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
"""


def _wait(attempts: int, outcome: Outcome) -> float:
    """Return the seconds until the next attempt: exponential backoff with jitter."""
    seconds = BACKOFF[min(attempts, len(BACKOFF)) - 1]
    return max(outcome.wait, seconds * random.uniform(0.9, 1.2))


def _pause(failures: int, outcome: Outcome) -> float:
    """Return the seconds for which an endpoint is left alone after so many failures in a row."""
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
