"""
What a business is to be told by webhook: an outbox, so that it is told what happened, and nothing else.

Nothing is sent from here. Ids follow the clock, not the commits: a reader marks what it has seen row by row.
"""

from typing import Any

from psycopg.types.json import Jsonb

from billing.models import Event
from config.lib import ids, sql

EventType = Event.Type


def record(
    *,
    user_id: str,
    type: EventType,  # noqa: A002  (the word the webhook's body uses)
    data: dict[str, Any],
    conversation_id: str = "",
) -> None:
    """Note an event in the caller's transaction: it is kept if, and only if, that commits."""
    sql.execute(_RECORD, [ids.new("evt"), user_id, type.value, conversation_id, Jsonb(data)])


_RECORD = """
    INSERT INTO events (event_id, user_id, type, conversation_id, data) VALUES (%s, %s, %s, %s, %s)
"""
