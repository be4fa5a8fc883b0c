"""
The inbox: keeps each message once, in the order of arrival, and rings for the number.

One transaction for a whole webhook, or for several. Within a number the intake lock makes the order of ids
the order of commits, so that no claim can overtake a message that is still being stored.
"""

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from channels_app import customers, taken_back
from channels_app.ignored import IgnoredReason
from channels_app.meta.types import Event, Inbound, Media, Parsed, Person
from config.lib import failpoints, locks, logs, masking, sql
from config.lib.jobs import Job, ring
from config.lib.locks import Lock

log = structlog.get_logger(__name__)

# Statuses come in crowds; one application a moment later takes them all.
EVENTS_DELAY = 0.1


@dataclass(frozen=True, slots=True)
class Stored:
    """How much of what webhooks told was new."""

    messages: int
    events: int


def store(*webhooks: Parsed) -> Stored:
    """Store the messages and events of webhooks that were not stored before, and ring for them on commit."""
    inbound = [(message, webhook) for webhook in webhooks for message in webhook.inbound]
    channel_events = [(event, webhook) for webhook in webhooks for event in webhook.events]
    # Inside a transaction a savepoint would cost two round trips, and whatever fails fails it all anyway.
    with transaction.atomic(savepoint=False):
        messages = _store_messages(_without_taken_back(inbound, channel_events))
        events = _store_events(channel_events)
        failpoints.reach("P0")
    return Stored(messages=messages, events=events)


def not_stored(inbound: list[Inbound]) -> list[Inbound]:
    """Return the messages that are not in the inbox yet."""
    if not inbound:
        return []
    keys = [[message.phone_number_id for message in inbound], [m.provider_message_id for m in inbound]]
    stored = {(row["phone_number_id"], row["provider_message_id"]) for row in sql.rows(_STORED, keys)}
    return [m for m in inbound if (m.phone_number_id, m.provider_message_id) not in stored]


_STORED = """
    SELECT phone_number_id, provider_message_id
      FROM inbound_messages
      JOIN unnest(%s::text[], %s::text[]) AS wanted (phone_number_id, provider_message_id)
     USING (phone_number_id, provider_message_id)
"""


def _without_taken_back(
    inbound: list[tuple[Inbound, Parsed]], channel_events: list[tuple[Event, Parsed]]
) -> list[tuple[Inbound, Parsed]]:
    """Empty the messages that their customers take back in the same webhooks."""
    gone = {
        (one.phone_number_id, one.provider_message_id) for one, _ in channel_events if one.kind == "revoke"
    }
    return [
        (taken_back.emptied(one) if (one.phone_number_id, one.provider_message_id) in gone else one, webhook)
        for one, webhook in inbound
    ]


def _store_messages(inbound: list[tuple[Inbound, Parsed]]) -> int:
    if not inbound:
        return 0
    locks.take(Lock.INTAKE, *{message.phone_number_id for message, _ in inbound})
    doubles: list[customers.Key] = []
    people = ((message.phone_number_id, message.person) for message, _ in inbound if message.person.is_known)
    known = customers.resolve(people, doubles=doubles)
    _store_events([(_same_person(number, person), Parsed()) for number, person in doubles])
    rows = [_row(message, known, webhook.correlation_id) for message, webhook in inbound]
    facts = {"messages": Jsonb(rows), "taken_back": IgnoredReason.TAKEN_BACK}
    new = sql.rows(_INSERT_MESSAGES, facts)
    if waiting := sorted({row["customer_id"] for row in new if row["status"] == "pending"}):
        _set_due(waiting)
    transaction.on_commit(partial(_log_received, new), robust=True)
    return len(new)


def _log_received(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        extra = {"reason": row["reason"]} if row["reason"] else {}
        log.info(
            "message.received",
            correlation_id=row["correlation_id"],
            phone_number_id=row["phone_number_id"],
            kind=row["kind"],
            inbound_id=row["id"],
            provider_message_id=masking.tail(row["provider_message_id"]),
            status=row["status"],
            **extra,
        )


def _same_person(phone_number_id: str, person: Person) -> Event:
    """Report that two rows are one person; they are merged when neither is being answered."""
    ids = {"wa_id": person.wa_id, "bsuid": person.bsuid}
    return Event(
        phone_number_id=phone_number_id,
        kind="identity",
        key=f"same person: {ids}",
        payload={},
        occurred_at=timezone.now(),
        data={"old": ids, "new": ids},
    )


def _row(message: Inbound, known: dict[customers.Key, str], correlation_id: str) -> dict[str, object]:
    return {
        "correlation_id": correlation_id or logs.correlation_id(),
        "phone_number_id": message.phone_number_id,
        "customer_id": known.get((message.phone_number_id, message.person)),
        "provider_message_id": message.provider_message_id,
        "kind": message.kind,
        "text": message.text,
        "media": [_reference(media) for media in message.media],
        "quoted_id": message.quoted_id,
        "context": message.context,
        "payload": message.payload,
        "status": "ignored" if message.ignored else "pending",
        "reason": message.ignored[:255],
        "sent_at": message.sent_at.isoformat(),
    }


def _reference(media: Media) -> dict[str, str]:
    """Return a file's reference; only a stored one has a name already."""
    fields = asdict(media)
    return fields if media.name else {key: value for key, value in fields.items() if key != "name"}


# A message that was taken back before it came is stored without its content.
_INSERT_MESSAGES = """
    INSERT INTO inbound_messages (phone_number_id, customer_id, provider_message_id, kind, text, media,
                                  quoted_id, context, payload, status, reason, sent_at, received_at,
                                  correlation_id)
    SELECT phone_number_id, customer_id, provider_message_id, kind,
           CASE WHEN is_gone THEN '' ELSE text END,
           CASE WHEN is_gone THEN '[]' ELSE media END, quoted_id,
           CASE WHEN is_gone THEN '' ELSE context END,
           CASE WHEN is_gone THEN '{}' ELSE payload END,
           CASE WHEN is_gone THEN 'ignored' ELSE status END,
           CASE WHEN is_gone THEN %(taken_back)s ELSE reason END,
           sent_at, clock_timestamp(), correlation_id
      FROM ROWS FROM (jsonb_to_recordset(%(messages)s) AS (
               phone_number_id text, customer_id text, provider_message_id text, kind text, text text,
               media jsonb, quoted_id text, context text, payload jsonb, status text, reason text,
               sent_at timestamptz, correlation_id text))
           WITH ORDINALITY AS told
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT 1 FROM channel_events AS event
                           WHERE event.kind = 'revoke'
                             AND event.provider_message_id = told.provider_message_id
                             AND event.phone_number_id = told.phone_number_id) AS is_gone) AS revoke
     ORDER BY ordinality
        ON CONFLICT (phone_number_id, provider_message_id) DO NOTHING
    RETURNING id, customer_id, status, reason, phone_number_id, kind, provider_message_id, correlation_id
"""


def _set_due(customer_ids: list[str]) -> None:
    """Move the quiet window of those who wrote, and ring when it ends; nobody waits for it in a pause."""
    quiet, longest = settings.REPLY_DEBOUNCE / 1000, settings.REPLY_DEBOUNCE_MAX / 1000
    for due in sql.rows(_SET_DUE, {"customers": customer_ids, "quiet": quiet, "longest": longest}):
        ring(Job.DRAIN, delay=float(due["seconds"]), phone_number_id=due["phone_number_id"])


_SET_DUE = """
    UPDATE customers AS customer
       SET due_at = CASE WHEN paused_until > clock_timestamp() THEN clock_timestamp()
                         ELSE LEAST(clock_timestamp() + make_interval(secs => %(quiet)s),
                                    waiting.since + make_interval(secs => %(longest)s)) END
      FROM (SELECT customer_id, min(received_at) AS since
              FROM inbound_messages
             WHERE status = 'pending' AND customer_id = ANY(%(customers)s)
             GROUP BY customer_id) AS waiting
     WHERE customer.customer_id = waiting.customer_id
    RETURNING customer.phone_number_id, extract(epoch FROM customer.due_at - clock_timestamp()) AS seconds
"""


def _store_events(events: list[tuple[Event, Parsed]]) -> int:
    if not events:
        return 0
    # In one order for everybody, since two webhooks may tell the same things at once.
    rows = sorted(
        (_event_row(event, webhook.correlation_id) for event, webhook in events),
        key=lambda row: (row["phone_number_id"], row["event_key"]),
    )
    new = sql.execute(_INSERT_EVENTS, [Jsonb(rows)])
    if new:
        ring(Job.APPLY_EVENTS, delay=EVENTS_DELAY)
    return new


def _event_row(event: Event, correlation_id: str) -> dict[str, Any]:
    return {
        "correlation_id": correlation_id or logs.correlation_id(),
        "phone_number_id": event.phone_number_id,
        "kind": event.kind,
        "event_key": hashlib.sha256(event.key.encode()).hexdigest(),
        "provider_message_id": event.provider_message_id,
        "callback_data": event.callback_data,
        "person": _known_ids(event.person) if event.person else None,
        "data": event.data,
        "payload": event.payload,
        "occurred_at": event.occurred_at.isoformat(),
    }


_PERSON = tuple(field.name for field in fields(Person))


def _known_ids(person: Person) -> dict[str, Any]:
    """Return what is known of a person: a process of an earlier release reads it, too."""
    return {name: value for name in _PERSON if (value := getattr(person, name)) is not None}


_INSERT_EVENTS = """
    INSERT INTO channel_events (phone_number_id, kind, event_key, provider_message_id, callback_data, person,
                                data, payload, occurred_at, outcome, correlation_id)
    SELECT phone_number_id, kind, event_key, provider_message_id, callback_data, person,
           data, payload, occurred_at, '', correlation_id
      FROM ROWS FROM (jsonb_to_recordset(%s) AS (
               phone_number_id text, kind text, event_key text, provider_message_id text, callback_data text,
               person jsonb, data jsonb, payload jsonb, occurred_at timestamptz, correlation_id text))
           WITH ORDINALITY AS told
     ORDER BY ordinality
        ON CONFLICT (phone_number_id, kind, event_key) DO NOTHING
"""
