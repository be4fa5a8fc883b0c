"""
What a business is to be told by webhook: an outbox, so that it is told what happened, and nothing else.

Nothing is sent from here. Ids follow the clock, not the commits: a reader marks what it has seen row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from billing.models import Event
from config.lib import ids, sql

EventType = Event.Type


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be recorded."""

    user_id: str
    type: EventType
    data: dict[str, Any]
    conversation_id: str = ""


def wanted(*, user: str, type: EventType) -> str:  # noqa: A002
    """
    Return SQL for whether any endpoint of a business wants such events; `user` is its id, as `table.column`.

    For what every message brings: it is kept only where somebody is to be told.
    """
    assert "." in user, "by itself it would be the endpoint's own"
    return f"""
        EXISTS (SELECT 1 FROM webhook_endpoints AS listener
                 WHERE listener.user_id = {user} AND listener.deleted_at IS NULL
                   AND (listener.types = '{{}}' OR '{type.value}' = ANY (listener.types)))
    """  # noqa: S608  (our own words)


def wanted_types(*, users: str) -> str:
    """
    Return SQL for the event types that endpoints want, as rows of `user_id` and an array `types`.

    `users` is SQL for rows of `user_id`, each once; `types` is null for a business without endpoints.
    """
    every = ", ".join(f"'{kind.value}'" for kind in EventType)
    # A subquery, so that each business's endpoints are found by their index.
    return f"""
        SELECT business.user_id,
               (SELECT array_agg(DISTINCT type)
                  FROM webhook_endpoints AS listener
                 CROSS JOIN unnest(CASE WHEN listener.types = '{{}}' THEN ARRAY[{every}]
                                        ELSE listener.types::text[] END) AS type
                 WHERE listener.user_id = business.user_id AND listener.deleted_at IS NULL) AS types
          FROM ({users}) AS business
    """  # noqa: S608  (our own words)


def is_wanted(*, user_id: str, type: EventType) -> bool:  # noqa: A002
    """Check whether any endpoint of a business wants such events."""
    condition = wanted(user="business.user_id", type=type)
    business = "(SELECT %s::text AS user_id) AS business"
    return sql.row(f"SELECT 1 FROM {business} WHERE {condition}", [user_id]) is not None  # noqa: S608


def record(
    *,
    user_id: str,
    type: EventType,  # noqa: A002  (the word the webhook's body uses)
    data: dict[str, Any],
    conversation_id: str = "",
) -> None:
    """Record an event in the caller's transaction: it is kept if, and only if, that commits."""
    record_all([NewEvent(user_id, type, data, conversation_id)])


def record_all(new: Sequence[NewEvent]) -> None:
    """Record several events in their order, by one statement in the caller's transaction."""
    rows = [
        {
            "event_id": ids.new("evt"),
            "user_id": one.user_id,
            "type": one.type.value,
            "conversation_id": one.conversation_id,
            "data": one.data,
        }
        for one in new
    ]
    if rows:
        sql.execute(_RECORD, [Jsonb(rows)])


_RECORD = """
    INSERT INTO events (event_id, user_id, type, conversation_id, data)
    SELECT event_id, user_id, type, conversation_id, data
      FROM ROWS FROM (jsonb_to_recordset(%s) AS (
               event_id text, user_id text, type text, conversation_id text, data jsonb))
           WITH ORDINALITY AS new
     ORDER BY ordinality
"""
