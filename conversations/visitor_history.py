"""
A web chat as its visitor sees it: what they wrote, and what was said to them.

A cursor says what somebody has seen: for each of the visitor's newest conversations, and of older ones that
go on or in which something is open, the last message, and how those of it and before stood that may still
change (a question that is not answered yet, a reply that is not sent yet). A page gives what came since, also
in conversations that began since, and those that have changed: a message is told again, with the same id,
when its status is another. Places in a conversation are given under its row's lock, so none is skipped.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from channels_app.models import Customer, InboundMessage
from config.lib import sql
from conversations import statuses
from conversations.visitor_cursor import Cursor, InvalidCursorError, Place
from conversations.visitor_messages import Message, may_change, message_of, status_of

__all__ = [
    "InvalidCursorError",
    "Message",
    "Page",
    "State",
    "customer_id",
    "has_sent",
    "mark_read",
    "page",
    "state",
]

# Whose messages are told to somebody new, and looked at again for whoever has seen them.
NEWEST_CONVERSATIONS = 3
MOST = 200
# How many a page goes through. More may have begun since a cursor: they are left to the next page.
_MOST_CONVERSATIONS = 20
# Of the messages that were seen, so many of those that may still change are looked at again.
MOST_OPEN = 20
# How far back it is looked for what was read.
_MOST_READ = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in their order, and the cursor behind them; `has_more` if there are more right now."""

    messages: list[Message]
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class State:
    """Whether what a visitor writes will be answered, and whether a person does it."""

    is_available: bool
    is_paused: bool

    def as_json(self) -> dict[str, bool]:
        """Return the JSON object of the API."""
        return {"is_available": self.is_available, "is_paused": self.is_paused}


def customer_id(*, phone_number_id: str, visitor_id: str) -> str | None:
    """Return the row of a visitor; None until their first message."""
    rows = Customer.objects.filter(phone_number_id=phone_number_id, visitor_id=visitor_id)
    return rows.values_list("pk", flat=True).first()


def has_sent(*, customer_id: str | None, name: str) -> bool:
    """Return whether a visitor has sent the stored picture, under any id that they have had."""
    if customer_id is None:
        return False
    return InboundMessage.objects.filter(customer_id=customer_id, media__contains=[{"name": name}]).exists()


# --- What was said -----------------------------------------------------------------------------------


def page(*, customer_id: str | None, after: str | None = None, limit: int = 50) -> Page:
    """
    Return the messages after a cursor, oldest first; without one, the newest.

    :raises InvalidCursorError: if it is none
    """
    cursor = Cursor.read(after) if after else Cursor()
    if customer_id is None:
        return Page([], cursor.text(), has_more=False)
    limit = min(max(limit, 1), MOST)
    is_first = after is None
    conversations, are_all = _conversations(customer_id, cursor, is_first=is_first)
    rows = _rows(list(conversations), cursor, limit=limit, is_first=is_first)
    if are_all:
        rows += sql.rows(_WAITING, {"customer": customer_id, "waiting": cursor.inbox, "most": limit + 1})
    # The newest page leaves out what is older for good; any other goes on where it ends.
    is_full = len(rows) > limit and not is_first
    passed = rows[:limit] if is_full else rows
    messages = [message_of(row) for row in passed if status_of(row)][-limit:]
    behind = _advanced(cursor, conversations, passed, is_full=is_full)
    return Page(messages, behind.text(), has_more=is_full or not are_all)


def _conversations(customer_id: str, cursor: Cursor, *, is_first: bool) -> tuple[dict[str, bool], bool]:
    """Return the conversations of a page, in order, whether each goes on, and whether these are all."""
    facts = {
        "customer": customer_id,
        "named": list(cursor.places),
        "is_first": is_first,
        "newest": NEWEST_CONVERSATIONS,
        "most": _MOST_CONVERSATIONS + 1,
    }
    rows = {row["conversation_id"]: row["is_active"] for row in sql.rows(_CONVERSATIONS, facts)}
    return dict(list(rows.items())[:_MOST_CONVERSATIONS]), len(rows) <= _MOST_CONVERSATIONS


# Their ids are in the order in which they began: whatever began after all that the cursor names is new.
_CONVERSATIONS = """
    SELECT conversation_id, is_active
      FROM (SELECT conversation_id, is_active, row_number() OVER (ORDER BY conversation_id DESC) AS place
              FROM conversations WHERE customer_id = %(customer)s) AS talk
     WHERE is_active OR place <= %(newest)s OR conversation_id = ANY(%(named)s::text[])
        OR (NOT %(is_first)s
            AND conversation_id > COALESCE((SELECT max(name) FROM unnest(%(named)s::text[]) AS name), ''))
     ORDER BY conversation_id
     LIMIT %(most)s
"""


def _rows(conversations: list[str], cursor: Cursor, *, limit: int, is_first: bool) -> list[dict[str, Any]]:
    places = [cursor.places.get(conversation, Place()) for conversation in conversations]
    still_open = [
        (name, number) for name, place in zip(conversations, places, strict=True) for number in place.open
    ]
    facts = {
        "conversations": conversations,
        "seen": [place.sequence_no for place in places],
        "open_in": [name for name, _ in still_open],
        "open": [number for _, number in still_open],
        # Of those that were open, all may be as they were.
        "most": limit + (MOST_OPEN if is_first else 1 + len(still_open)),
    }
    rows = sql.rows(_NEWEST if is_first else _SINCE, facts) if conversations else []
    return [row for row in rows if _has_changed(row, cursor)]


# What a visitor wrote is what stands in the inbox of it: its status tells whether it was answered.
_COLUMNS = """
    said.conversation_id, said.sequence_no, said.message_id, said.author, said.text, said.media,
    said.timestamp, said.provider_message_id, said.status,
    inbox.id AS inbound_id, inbox.status AS inbox_status, inbox.reason, inbox.turn_id
"""
_SINCE = f"""
    SELECT {_COLUMNS}
      FROM unnest(%(conversations)s::text[], %(seen)s::int[]) AS place (conversation_id, seen)
      JOIN messages AS said ON said.conversation_id = place.conversation_id AND said.sequence_no > place.seen
      LEFT JOIN inbound_messages AS inbox ON inbox.id = said.inbound_id
     WHERE said.deleted_at IS NULL
     UNION ALL
    SELECT {_COLUMNS}
      FROM unnest(%(open_in)s::text[], %(open)s::int[]) AS place (conversation_id, number)
      JOIN messages AS said ON said.conversation_id = place.conversation_id
                           AND said.sequence_no = place.number
      LEFT JOIN inbound_messages AS inbox ON inbox.id = said.inbound_id
     WHERE said.deleted_at IS NULL
     ORDER BY conversation_id, sequence_no
     LIMIT %(most)s
"""  # noqa: S608  (our own words)
_NEWEST = f"""
    SELECT {_COLUMNS}
      FROM unnest(%(conversations)s::text[]) AS place (conversation_id)
      CROSS JOIN LATERAL (
           SELECT * FROM messages
            WHERE messages.conversation_id = place.conversation_id AND deleted_at IS NULL
            ORDER BY sequence_no DESC
            LIMIT %(most)s) AS said
      LEFT JOIN inbound_messages AS inbox ON inbox.id = said.inbound_id
     ORDER BY said.conversation_id, said.sequence_no
"""  # noqa: S608  (our own words)
# Written, and not taken into a conversation yet.
_WAITING = """
    SELECT NULL AS conversation_id, NULL AS sequence_no, NULL AS message_id, 'customer' AS author,
           text, media, sent_at AS timestamp, provider_message_id, '' AS status,
           id AS inbound_id, status AS inbox_status, reason, turn_id
      FROM inbound_messages
     WHERE customer_id = %(customer)s AND status = 'pending' AND id > %(waiting)s
       -- One that waits again after a failure stands in its conversation.
       AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.inbound_id = inbound_messages.id)
     ORDER BY id
     LIMIT %(most)s
"""


def _has_changed(row: dict[str, Any], cursor: Cursor) -> bool:
    place = cursor.places.get(row["conversation_id"], Place())
    return row["sequence_no"] > place.sequence_no or status_of(row) != place.open.get(row["sequence_no"])


def _advanced(
    cursor: Cursor, conversations: dict[str, bool], rows: list[dict[str, Any]], *, is_full: bool
) -> Cursor:
    """Return the cursor behind these rows; `is_full` if there are more than these."""
    places = {name: cursor.places.get(name, Place()) for name in conversations}
    inbox = cursor.inbox
    for row in rows:
        if row["conversation_id"] is None:
            inbox = max(inbox, row["inbound_id"])
            continue
        place = places[row["conversation_id"]]
        still_open = {number: how for number, how in place.open.items() if number != row["sequence_no"]}
        if may_change(row):
            still_open[row["sequence_no"]] = status_of(row)
        still_open = dict(sorted(still_open.items())[-MOST_OPEN:])
        places[row["conversation_id"]] = Place(max(place.sequence_no, row["sequence_no"]), still_open)
    last = rows[-1]["conversation_id"] if is_full else None
    names = list(conversations)
    passed = names[: names.index(last) + 1] if last else names
    to_come = [name for name in names[len(passed) :] if name in cursor.places]
    older, newest = passed[:-NEWEST_CONVERSATIONS], passed[-NEWEST_CONVERSATIONS:]
    # Of the older ones, those that go on and the newest of those in which something may still change.
    may_change_in = [name for name in older if places[name].open][-NEWEST_CONVERSATIONS:]
    kept = [name for name in older if conversations[name] or name in may_change_in]
    return Cursor({name: places[name] for name in [*kept, *newest, *to_come]}, inbox)


# --- How it stands -----------------------------------------------------------------------------------


def state(*, phone_number_id: str, customer_id: str | None = None) -> State:
    """Return whether somebody answers: an agent with credits, or a person who has taken over."""
    row = sql.row(
        _STATE,
        {"number": phone_number_id, "customer": customer_id or "", "price": settings.CREDITS_PER_REPLY},
    )
    if row is None:
        return State(is_available=False, is_paused=False)
    is_paused = bool(row["is_paused"])
    return State(is_available=is_paused or bool(row["can_answer"]), is_paused=is_paused)


_STATE = """
    SELECT EXISTS (SELECT 1 FROM customers
                    WHERE customer_id = %(customer)s AND paused_until > statement_timestamp()) AS is_paused,
           EXISTS (SELECT 1 FROM agents
                    WHERE agents.phone_number_id = number.phone_number_id AND agents.deleted_at IS NULL)
           AND EXISTS (SELECT 1 FROM credits
                        WHERE credits.user_id = number.user_id AND remaining_credits >= %(price)s)
               AS can_answer
      FROM phone_numbers AS number
     WHERE number.phone_number_id = %(number)s AND number.deleted_at IS NULL
"""


@transaction.atomic
def mark_read(*, customer_id: str | None, cursor: str) -> int:
    """
    Note that the visitor has read what was said to them up to a cursor, and say how many messages that were.

    :raises InvalidCursorError: if it is none
    """
    places = Cursor.read(cursor).places
    facts = {
        "customer": customer_id,
        "conversations": list(places),
        "seen": [place.sequence_no for place in places.values()],
        "most": _MOST_READ,
    }
    messages = [row["message_id"] for row in sql.rows(_TO_BE_READ, facts)] if customer_id else []
    if messages:
        sql.execute(_READ, [messages])
        statuses.refresh(messages)
    return len(messages)


# Locked in the order of all who lock several.
_TO_BE_READ = """
    SELECT message_id FROM messages
     WHERE message_id IN (
               SELECT said.message_id
                 FROM unnest(%(conversations)s::text[], %(seen)s::int[]) AS place (conversation_id, seen)
                 JOIN conversations AS own ON own.conversation_id = place.conversation_id
                                          AND own.customer_id = %(customer)s
                 JOIN messages AS said ON said.conversation_id = place.conversation_id
                                      AND said.sequence_no > place.seen - %(most)s
                                      AND said.sequence_no <= place.seen
                WHERE said.sender = 'agent' AND said.status IN ('sent', 'delivered'))
     ORDER BY message_id
       FOR UPDATE
"""
_READ = """
    UPDATE deliveries SET state = 'read', updated_at = statement_timestamp()
     WHERE message_id = ANY(%s) AND state IN ('sent', 'delivered')
"""
