"""
Applies what channels told (`channel_events`), by one process at a time.

Statuses, which come in crowds, move deliveries and with them messages forward, in bulk; everything else is
applied one by one. A status may come before the answer to the send it speaks of was stored: it
is matched by our delivery id if it carries that, else it waits and is looked at again, ever more rarely.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.db import transaction

from billing import ledger
from channels_app import alarms
from channels_app.models import ChannelEvent
from config.lib import locks, sql
from config.lib.locks import Lock
from conversations import changes, echoes, identity, outbox, statuses

log = structlog.get_logger(__name__)

BATCH = 1000
# A status nobody knows after this long speaks of a message we did not send.
PATIENCE = "10 minutes"


def apply() -> int:
    """
    Apply the events that wait, and say how many were applied.

    Nothing is done while somebody else does it: what they overlook, the next ring or the sweeper finds.
    """
    applied = 0
    while True:
        count, is_last = _apply_batch()
        applied += count
        if is_last:
            return applied


def _apply_batch() -> tuple[int, bool]:
    with transaction.atomic():
        if not locks.try_take(Lock.EVENTS, ""):
            return 0, True
        events = sql.rows(_WAITING, {"most": BATCH})
        if not events:
            return 0, True
        event_ids = [event["id"] for event in events]
        matched = sql.rows(_MATCH, {"events": event_ids})
        if matched:
            _advance(matched)
        applied = [row["event_id"] for row in matched]
        applied += [event["id"] for event in events if event["kind"] in _APPLY and _apply_one(event)]
        _settle(event_ids, applied)
    return len(applied), len(events) < BATCH


def _note_channel_error(event: ChannelEvent) -> bool:
    """Tell the business what the channel says of itself."""
    alarms.raise_alarm(
        phone_number_id=event.phone_number_id,
        code=str(event.data.get("code") or ""),
        reason=str(event.data.get("title") or ""),
    )
    return True


# What a function does with an event of its kind; it says whether there was anything to apply it to by now.
_APPLY: dict[str, Callable[[ChannelEvent], bool]] = {
    "reaction": changes.react,
    "edit": changes.edit,
    "revoke": changes.revoke,
    "echo": echoes.note_echo,
    "identity": identity.move,
    "notice": _note_channel_error,
}


def _apply_one(event: dict[str, Any]) -> bool:
    """Apply one event; a faulty one must not keep the others waiting."""
    try:
        with transaction.atomic():
            return _APPLY[event["kind"]](ChannelEvent.objects.get(pk=event["id"]))
    except Exception:  # whatever it is, it must not block the events behind it
        log.exception("event.not_applied", event_id=event["id"], kind=event["kind"])
        return False


_WAITING = """
    SELECT id, kind FROM channel_events
     WHERE applied_at IS NULL AND apply_after <= statement_timestamp()
     ORDER BY apply_after, id
     LIMIT %(most)s
"""

# By the provider's id, or by ours where the provider's is not stored yet; only within the number it came for.
_MATCH = """
    SELECT event.id AS event_id, delivery.delivery_id, delivery.message_id, messages.turn_id,
           delivery.attempt, event.kind
      FROM channel_events AS event
      JOIN deliveries AS delivery
        ON delivery.phone_number_id = event.phone_number_id
       AND (delivery.provider_message_id = event.provider_message_id
            OR (delivery.delivery_id = event.callback_data
                AND COALESCE(delivery.provider_message_id, event.provider_message_id)
                    = event.provider_message_id))
      JOIN messages USING (message_id)
     WHERE event.id = ANY(%(events)s) AND (event.kind = 'read' OR event.kind = 'status'
       AND event.payload ->> 'status' IN ('sent', 'delivered', 'read', 'played', 'failed'))
"""


def _advance(matched: list[dict[str, Any]]) -> None:
    message_ids = sorted({row["message_id"] for row in matched})
    sql.execute(
        "SELECT 1 FROM messages WHERE message_id = ANY(%s) ORDER BY message_id FOR UPDATE", [message_ids]
    )
    links = [[row["event_id"] for row in matched], [row["delivery_id"] for row in matched]]
    advanced = sql.rows(_ADVANCE, links)
    failed = {row["delivery_id"] for row in advanced if row["state"] == "failed"}
    statuses.refresh(message_ids)
    refused = {
        outbox.charge_reference(row["turn_id"], row["attempt"])
        for row in matched
        if row["delivery_id"] in failed and row["turn_id"]
    }
    for reference in sorted(refused):
        log.warning("delivery.failed_later", turn_id=reference)
        ledger.refund(reference=reference, reason="reply not delivered")


# The highest rank wins, so the order in which statuses come does not matter. A failure told after `sent`
# counts; one told after `delivered` does not.
_ADVANCE = """
    WITH ranks (state, rank) AS (
        VALUES ('pending', 0), ('sending', 1), ('unknown', 2), ('sent', 3), ('cancelled', 4), ('failed', 4),
               ('delivered', 5), ('read', 6)),
    told AS (
        SELECT DISTINCT ON (link.delivery_id)
               link.delivery_id, ranks.state, ranks.rank, event.provider_message_id,
               COALESCE(event.payload #>> '{errors,0,code}', '') || ': '
                   || COALESCE(event.payload #>> '{errors,0,title}', '') AS error
          FROM unnest(%s::bigint[], %s::text[]) AS link (event_id, delivery_id)
          JOIN channel_events AS event ON event.id = link.event_id
          JOIN ranks ON ranks.state = CASE WHEN event.kind = 'read' OR event.payload ->> 'status' = 'played'
                                           THEN 'read' ELSE event.payload ->> 'status' END
         ORDER BY link.delivery_id, ranks.rank DESC)
    UPDATE deliveries
       SET provider_message_id = COALESCE(deliveries.provider_message_id, told.provider_message_id),
           state = CASE WHEN told.rank > now_at.rank THEN told.state ELSE deliveries.state END,
           error = CASE WHEN told.rank <= now_at.rank THEN deliveries.error
                        WHEN told.state = 'failed' THEN told.error ELSE '' END,
           updated_at = statement_timestamp()
      FROM told, ranks AS now_at
     WHERE deliveries.delivery_id = told.delivery_id AND now_at.state = deliveries.state
    RETURNING deliveries.delivery_id, deliveries.state
"""


def _settle(event_ids: list[int], applied_ids: list[int]) -> None:
    """Close what was applied or is none of ours; what is not known yet waits twice as long each time."""
    sql.execute(_SETTLE, {"events": event_ids, "applied": applied_ids, "patience": PATIENCE})


_SETTLE = """
    UPDATE channel_events
       SET outcome = CASE WHEN id = ANY(%(applied)s) THEN 'applied'
                          WHEN received_at < statement_timestamp() - %(patience)s::interval THEN 'unmatched'
                          ELSE outcome END,
           applied_at = CASE WHEN id = ANY(%(applied)s)
                                  OR received_at < statement_timestamp() - %(patience)s::interval
                             THEN statement_timestamp() END,
           apply_after = statement_timestamp()
                         + GREATEST(interval '1 second', statement_timestamp() - received_at)
     WHERE id = ANY(%(events)s)
"""
