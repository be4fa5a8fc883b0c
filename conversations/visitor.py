"""
A web chat as its visitor sees it: what they wrote, and what was said to them.

A cursor says what somebody has seen: for each of the visitor's newest conversations the last message, and how
those of it and before stood that may still change (a question that is not answered yet, a reply that is not
sent yet). A page gives what came since, and those that have changed: a message is told again, with the same
id, when its status is another. Places in a conversation are given under its row's lock, so none is skipped.
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

MOST_CONVERSATIONS = 3
MOST = 200
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

    def told(self) -> dict[str, bool]:
        """Give it as the API tells it."""
        return {"is_available": self.is_available, "is_paused": self.is_paused}


def customer_id(*, phone_number_id: str, visitor_id: str) -> str | None:
    """Give the row of a visitor; None as long as they have not written."""
    found = Customer.objects.filter(phone_number_id=phone_number_id, visitor_id=visitor_id)
    return found.values_list("pk", flat=True).first()


def has_sent(*, customer_id: str | None, name: str) -> bool:
    """Tell whether a visitor has sent the picture that lies there, under whatever id they had then."""
    if customer_id is None:
        return False
    return InboundMessage.objects.filter(customer_id=customer_id, media__contains=[{"name": name}]).exists()


# --- What was said -----------------------------------------------------------------------------------


def page(*, customer_id: str | None, after: str | None = None, limit: int = 50) -> Page:
    """
    Give what came after a cursor, oldest first; without one, the newest.

    :raises InvalidCursorError: if it is none
    """
    cursor = Cursor.read(after) if after else Cursor()
    if customer_id is None:
        return Page([], cursor.text(), has_more=False)
    limit = min(max(limit, 1), MOST)
    conversations = _conversations(customer_id)
    rows = _rows(customer_id, conversations, cursor, limit=limit, is_first=after is None)
    # The newest page leaves out what is older for good; any other goes on where it ends.
    has_more = after is not None and len(rows) > limit
    passed = rows[:limit] if after is not None else rows
    shown = [message_of(row) for row in passed if status_of(row)][-limit:]
    return Page(shown, _advanced(cursor, conversations, passed).text(), has_more=has_more)


def _conversations(customer_id: str) -> list[str]:
    """Give the customer's newest conversations, oldest first."""
    found = sql.rows(_CONVERSATIONS, [customer_id, MOST_CONVERSATIONS])
    return sorted(str(row["conversation_id"]) for row in found)


_CONVERSATIONS = """
    SELECT conversation_id FROM conversations WHERE customer_id = %s ORDER BY conversation_id DESC LIMIT %s
"""


def _rows(
    customer_id: str, conversations: list[str], cursor: Cursor, *, limit: int, is_first: bool
) -> list[dict[str, Any]]:
    places = [cursor.places.get(conversation, Place()) for conversation in conversations]
    facts = {
        "conversations": conversations,
        "seen": [place.sequence_no for place in places],
        "open_in": [name for name, place in zip(conversations, places, strict=True) for _ in place.open],
        "open": [number for place in places for number in place.open],
        "most": limit + (MOST_OPEN if is_first else 1),
        "customer": customer_id,
        "waiting": cursor.inbox,
    }
    said = sql.rows(_NEWEST if is_first else _SINCE, facts) if conversations else []
    changed = [row for row in said if _has_changed(row, cursor)]
    changed.sort(key=lambda row: (row["conversation_id"], row["sequence_no"]))
    return [*changed, *sql.rows(_WAITING, facts)]


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
     LIMIT %(most)s + {MOST_CONVERSATIONS * MOST_OPEN}
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


def _advanced(cursor: Cursor, conversations: list[str], rows: list[dict[str, Any]]) -> Cursor:
    """Give the cursor behind these rows."""
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
        newest = dict(sorted(still_open.items())[-MOST_OPEN:])
        places[row["conversation_id"]] = Place(max(place.sequence_no, row["sequence_no"]), newest)
    return Cursor(places, inbox)


# --- How it stands -----------------------------------------------------------------------------------


def state(*, phone_number_id: str, customer_id: str | None = None) -> State:
    """Say whether somebody answers: an agent with credits, or a person who has taken over."""
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
    own = _conversations(customer_id) if customer_id else []
    read = [(name, places[name]) for name in own if name in places]
    if not read:
        return 0
    facts = {
        "conversations": [name for name, _ in read],
        "seen": [place.sequence_no for _, place in read],
        "most": _MOST_READ,
    }
    messages = [row["message_id"] for row in sql.rows(_TO_BE_READ, facts)]
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
