"""
What a business is to be told by webhook: an outbox, so that it is told what happened, and nothing else.

Nothing is sent from here. Ids follow the clock, not the commits: a reader marks what it has seen row by row.
"""

from typing import Any

from psycopg.types.json import Jsonb

from billing.models import Event
from config.lib import ids, sql

EventType = Event.Type


def wanted(*, user: str, type: EventType) -> str:  # noqa: A002
    """
    Give SQL for whether any endpoint of a business wants such events; `user` is its id, as `table.column`.

    For what every message brings: it is kept only where somebody is to be told.
    """
    assert "." in user, "by itself it would be the endpoint's own"
    return f"""
        EXISTS (SELECT 1 FROM webhook_endpoints AS listener
                 WHERE listener.user_id = {user} AND listener.deleted_at IS NULL
                   AND (listener.types = '{{}}' OR '{type.value}' = ANY (listener.types)))
    """  # noqa: S608  (our own words)


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
