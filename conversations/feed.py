"""
What a visitor who has the chat open is told: read when the bell rang for them, or when their mark moved.

A mark is a fingerprint of all that a visitor sees, small enough to be made for everybody who is connected in
one statement. It stands in for the bell where that cannot be heard.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings

from channels_app.webchat.sessions import Visitor
from config.lib import sql
from conversations import visitor_history
from conversations.visitor_cursor import Cursor, InvalidCursorError
from conversations.visitor_history import MOST_OPEN, NEWEST_CONVERSATIONS, Message, State

# A reader who comes back after a long time is told in pieces of this size.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How a visitor's chat stands, their row, if they have one, and who may use the chat."""

    customer_id: str | None
    text: str
    access_mark: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What came after a cursor, the cursor behind it, and how the chat stood just before it was read."""

    mark: Fingerprint
    messages: list[Message]
    cursor: str
    has_more: bool
    state: State


def read(who: Visitor, *, after: str | None, access_mark: str) -> Reading | None:
    """Read what a visitor has not seen; None if the chat is gone, or others may use it than did then."""
    # The mark first: whatever changes while we read moves it again.
    mark = fingerprints([who]).get(who)
    if mark is None or mark.access_mark != access_mark:
        return None
    page = visitor_history.page(customer_id=mark.customer_id, after=after, limit=_AT_ONCE)
    state = visitor_history.state(phone_number_id=who.phone_number_id, customer_id=mark.customer_id)
    return Reading(mark, page.messages, page.cursor, page.has_more, state)


def usable(cursor: str) -> str | None:
    """Return a cursor if it is valid; without one the stream begins with the newest messages."""
    try:
        Cursor.read(cursor)
    except InvalidCursorError:
        return None
    return cursor


def fingerprints(visitors: Collection[Visitor]) -> dict[Visitor, Fingerprint]:
    """Return the fingerprint of each visitor whose chat is live."""
    places = list(visitors)
    facts = {
        "numbers": [who.phone_number_id for who in places],
        "visitors": [who.visitor_id for who in places],
        "price": settings.CREDITS_PER_REPLY,
        "newest": NEWEST_CONVERSATIONS,
        "most": MOST_OPEN,
    }
    return {
        places[row["place"] - 1]: Fingerprint(row["customer_id"], row["mark"], row["access_mark"])
        for row in sql.rows(_MARKS, facts)
    }


_MARKS = """
    SELECT wanted.place, who.customer_id, access.mark AS access_mark,
           concat_ws('/', who.paused_until > statement_timestamp(), answers.can_answer,
                     access.mark, inbox.told, said.told) AS mark
      FROM unnest(%(numbers)s::text[], %(visitors)s::text[]) WITH ORDINALITY
           AS wanted (number, visitor, place)
      JOIN phone_numbers AS number ON number.phone_number_id = wanted.number AND number.deleted_at IS NULL
      JOIN web_chats AS chat ON chat.phone_number_id = wanted.number
      -- As WebChat.access_mark.
      CROSS JOIN LATERAL (
           SELECT encode(sha256(convert_to(chat.secret || ' ' || array_to_string(chat.allowed_origins, ' '),
                                           'UTF8')), 'hex') AS mark) AS access
      LEFT JOIN customers AS who ON who.phone_number_id = wanted.number AND who.visitor_id = wanted.visitor
      CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT 1 FROM agents
                           WHERE agents.phone_number_id = number.phone_number_id AND deleted_at IS NULL)
              AND EXISTS (SELECT 1 FROM credits
                           WHERE credits.user_id = number.user_id AND remaining_credits >= %(price)s)
                  AS can_answer) AS answers
      LEFT JOIN LATERAL (
           SELECT md5(string_agg(newest.id || newest.status, ',' ORDER BY newest.id)) AS told
             FROM (SELECT id, status FROM inbound_messages
                    WHERE customer_id = who.customer_id ORDER BY sent_at DESC LIMIT %(most)s) AS newest
           ) AS inbox ON true
      LEFT JOIN LATERAL (
           SELECT md5(string_agg(newest.message_id || newest.status, ',' ORDER BY newest.message_id)) AS told
             FROM (SELECT conversation_id, is_active, last_sequence_no,
                          row_number() OVER (ORDER BY conversation_id DESC) AS place
                     FROM conversations WHERE customer_id = who.customer_id) AS talk
            CROSS JOIN LATERAL (
                  SELECT message_id, status FROM messages
                   WHERE messages.conversation_id = talk.conversation_id
                     AND sequence_no > talk.last_sequence_no - %(most)s) AS newest
            WHERE talk.is_active OR talk.place <= %(newest)s
           ) AS said ON true
"""
