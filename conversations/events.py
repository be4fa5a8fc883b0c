"""
Applies channel events, by one process at a time.

Statuses, which come in crowds, move deliveries and with them messages forward, in bulk and in one
transaction; every other event has its own transaction, so that no lock of one is held while another waits for
its locks. A status may come before the answer to the send it speaks of was stored: it is matched by our
delivery id if it carries that, else it waits and is looked at again, ever more rarely.
"""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

import structlog
from django.db import transaction

from channels_app import channel_errors
from channels_app.models import ChannelEvent
from channels_app.senders import graph_codes
from channels_app.senders.graph_codes import Verdict
from config.lib import locks, sql
from config.lib.locks import Lock
from conversations import echoes, identity, reactions_and_edits, refunds, statuses

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
        applied = _apply_statuses([event["id"] for event in events if event["kind"] not in _APPLY])
    for event in events:
        if event["kind"] in _APPLY:
            is_applied = _apply_one(event)
            if is_applied is None:
                return applied, True
            applied += is_applied
    return applied, len(events) < BATCH


def _apply_statuses(event_ids: list[int]) -> int:
    if not event_ids:
        return 0
    matched = sql.rows(_MATCH, {"events": event_ids})
    if matched:
        _advance(matched)
    applied = [row["event_id"] for row in matched]
    _settle(event_ids, applied)
    return len(applied)


def _note_channel_error(event: ChannelEvent) -> bool:
    """Record the channel's report about itself as an event of the business."""
    channel_errors.record(
        phone_number_id=event.phone_number_id,
        code=str(event.data.get("code") or ""),
        reason=str(event.data.get("title") or ""),
    )
    return True


# What a function does with an event of its kind; it says whether there was anything to apply it to by now.
_APPLY: dict[str, Callable[[ChannelEvent], bool]] = {
    "reaction": reactions_and_edits.react,
    "edit": reactions_and_edits.edit,
    "revoke": reactions_and_edits.revoke,
    "echo": echoes.note_echo,
    "identity": identity.move,
    "notice": _note_channel_error,
}


def _apply_one(event: dict[str, Any]) -> bool | None:
    """
    Apply one event in a transaction of its own; return whether it was applied.

    None if another process applies events by now: it has to go on, so that they keep their order.
    """
    try:
        with transaction.atomic():
            if not locks.try_take(Lock.EVENTS, ""):
                return None
            row = ChannelEvent.objects.filter(pk=event["id"], applied_at=None).first()
            if row is None:
                return False
            is_applied = _APPLY[row.kind](row)
            _settle([row.pk], [row.pk] if is_applied else [])
            return is_applied
    except Exception:  # a faulty event must not block the events behind it
        log.exception("event.not_applied", event_id=event["id"], kind=event["kind"])
        with transaction.atomic():
            _settle([event["id"]], [])
        return False


_WAITING = """
    SELECT id, kind FROM channel_events
     WHERE applied_at IS NULL AND apply_after <= statement_timestamp()
     ORDER BY apply_after, id
     LIMIT %(most)s
"""

# By the provider's id, or by ours where the provider's is not stored yet; only within the number it came for.
_MATCH = """
    SELECT event.id AS event_id, delivery.delivery_id, delivery.message_id,
           event.payload ->> 'status' AS status
      FROM channel_events AS event
      JOIN deliveries AS delivery
        ON delivery.phone_number_id = event.phone_number_id
       AND (delivery.provider_message_id = event.provider_message_id
            OR (delivery.delivery_id = event.callback_data
                AND COALESCE(delivery.provider_message_id, event.provider_message_id)
                    = event.provider_message_id))
     WHERE event.id = ANY(%(events)s) AND (event.kind = 'read' OR event.kind = 'status'
       AND event.payload ->> 'status' IN ('sent', 'delivered', 'read', 'played', 'failed'))
"""


def _advance(matched: list[dict[str, Any]]) -> None:
    message_ids = sorted({row["message_id"] for row in matched})
    # Only these may make a message fail.
    if may_fail := [row["message_id"] for row in matched if row["status"] == "failed"]:
        statuses.lock_conversations(may_fail)
    statuses.lock(message_ids)
    links = [[row["event_id"] for row in matched], [row["delivery_id"] for row in matched]]
    advanced = sql.rows(_ADVANCE, links)
    failed = {row["delivery_id"] for row in advanced if row["state"] == "failed"}
    statuses.refresh(message_ids)
    refused = sorted({row["message_id"] for row in matched if row["delivery_id"] in failed})
    if refused:
        refunds.refund_failed(refused)
    transaction.on_commit(partial(_log_advanced, advanced), robust=True)
    _raise_alarms(advanced)


def _log_advanced(rows: list[dict[str, Any]]) -> None:
    """Log each delivery that a status moved on, under the correlation id of its turn."""
    for row in rows:
        if row["is_changed"]:
            write = log.warning if row["state"] == "failed" else log.info
            write(
                "delivery.status",
                correlation_id=row["correlation_id"] or row["webhook_correlation_id"],
                webhook_correlation_id=row["webhook_correlation_id"],
                delivery_id=row["delivery_id"],
                message_id=row["message_id"],
                phone_number_id=row["phone_number_id"],
                status=row["state"],
                **({"code": row["error"].partition(": ")[0]} if row["state"] == "failed" else {}),
            )


def _raise_alarms(advanced: list[dict[str, Any]]) -> None:
    """Raise the alarm for numbers whose messages failed because of the channel, after they were accepted."""
    failed = (row for row in advanced if row["state"] == "failed" and row["is_changed"])
    for row in sorted(failed, key=itemgetter("phone_number_id")):
        code, _, reason = row["error"].partition(": ")
        if graph_codes.verdict(code) is Verdict.CHANNEL:
            channel_errors.record(phone_number_id=row["phone_number_id"], code=code, reason=reason)


# The highest rank wins, so the order in which statuses come does not matter. A failure told after `sent`
# counts; one told after `delivered` does not.
_ADVANCE = """
    WITH ranks (state, rank) AS (
        VALUES ('pending', 0), ('sending', 1), ('unknown', 2), ('sent', 3), ('cancelled', 4), ('failed', 4),
               ('delivered', 5), ('read', 6)),
    told AS (
        SELECT DISTINCT ON (link.delivery_id)
               link.delivery_id, ranks.state, ranks.rank, event.provider_message_id, event.correlation_id,
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
    RETURNING deliveries.delivery_id, deliveries.message_id, deliveries.phone_number_id, deliveries.state,
              deliveries.error, told.rank > now_at.rank AS is_changed,
              told.correlation_id AS webhook_correlation_id,
              CASE WHEN told.rank > now_at.rank
                   THEN (SELECT turns.snapshot ->> 'correlation_id' FROM messages JOIN turns USING (turn_id)
                          WHERE messages.message_id = deliveries.message_id) END AS correlation_id
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
