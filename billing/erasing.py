"""Erases one customer of a business from events, their deliveries, e-mails and kept answers of the API."""

import json
from collections.abc import Collection
from datetime import timedelta

from billing import idempotency
from config.lib import sql

_BATCH = 1000
_DAY = timedelta(days=1)


def delete_events(
    *, user_id: str, conversation_ids: Collection[str], names: Collection[str]
) -> dict[str, int]:
    """
    Delete the events about conversations, or that name a customer, with their deliveries; return counts.

    Day by day, by the index on the business's events. A post that is in flight ends without a trace.
    """
    counts = {"events": 0, "webhook_deliveries": 0}
    found = {
        "user": user_id,
        "conversations": list(conversation_ids),
        "patterns": [f"%{name}%" for name in names],
        "most": _BATCH,
    }
    span = sql.row(_SPAN_SQL, [user_id])
    if span is None or span["first"] is None:
        return counts
    day = span["first"]
    while day <= span["last"]:
        while rows := sql.rows(_EVENTS_SQL, {**found, "since": day, "until": day + _DAY}):
            event_ids = [row["event_id"] for row in rows]
            counts["webhook_deliveries"] += sql.execute(_DELETE_DELIVERIES_SQL, [event_ids])
            counts["events"] += sql.execute(_DELETE_EVENTS_SQL, [event_ids])
        day += _DAY
    return counts


def delete_emails(references: Collection[str]) -> int:
    """Delete the e-mails about these things."""
    return sql.execute("DELETE FROM emails WHERE reference = ANY(%s)", [list(references)])


def wipe_answers(*, names: Collection[str]) -> int:
    """
    Empty the answers that are kept for repeated requests and name a customer; return how many.

    A repetition of the request is still recognized, and carried out no second time.
    """
    return idempotency.wipe(lambda body: any(name in json.dumps(body, ensure_ascii=False) for name in names))


_SPAN_SQL = "SELECT min(created_at) AS first, max(created_at) AS last FROM events WHERE user_id = %s"
# events_by_user
_EVENTS_SQL = """
    SELECT event_id FROM events
     WHERE user_id = %(user)s AND created_at >= %(since)s AND created_at < %(until)s
       AND (conversation_id = ANY(%(conversations)s) OR data::text LIKE ANY(%(patterns)s::text[]))
     LIMIT %(most)s
"""
_DELETE_DELIVERIES_SQL = "DELETE FROM webhook_deliveries WHERE event_id = ANY(%s)"
_DELETE_EVENTS_SQL = "DELETE FROM events WHERE event_id = ANY(%s)"
