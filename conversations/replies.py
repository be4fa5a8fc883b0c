"""Keeps what will be said before any of it is sent; from then on a turn is `answered`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from billing import events, ledger
from channels_app import senders
from channels_app.senders.contract import NotDeliveredError
from config.lib import ids, sql
from conversations import takeover, uptake
from conversations.holding import TAKEN_OVER, Turn, close, held_error
from conversations.leases import LeaseLostError

# How often the model is asked again in one turn because the customer wrote on.
MAX_DRAFTS = 2
DEFAULT_HANDOVER_MESSAGE = "A colleague will take over from here and answer you as soon as possible."


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a reply stands in OpenAI's copy, and what the copy learned when it was made.

    `known` are ids of our messages that went into the request, `owed` items the copy must get first of all.
    """

    response_id: str = ""
    item_ids: Sequence[str] = ()
    known: Sequence[str] = ()
    owed: Sequence[dict[str, str]] = ()


def store_reply(
    turn: Turn,
    *,
    text: str,
    response_id: str = "",
    tokens_used: int = 0,
    origin: Origin | None = None,
) -> bool:
    """
    Keep the model's reply and one delivery for each POST it takes; the turn is `answered` from here on.

    False if the customer wrote on in the meantime: those messages are part of the turn now, and the model is
    to be asked again (MAX_DRAFTS times at most; then what is newer waits for the next turn).

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    reply = _row(turn, text=text, tokens_used=tokens_used, origin=origin or Origin(response_id=response_id))
    may_join = settings.SUPERSEDE_DRAFTS and turn.drafts < MAX_DRAFTS
    if _insist(turn, {**reply, "may_join": may_join}):
        return True
    if may_join and _join(turn, reply):
        return False
    if _insist(turn, {**reply, "may_join": False}):
        return True
    raise LeaseLostError


def _insist(turn: Turn, reply: dict[str, Any]) -> bool:
    def write() -> bool:
        # The second look is for a COMMIT that broke after all: nobody else can have stored this id.
        stored = sql.execute(_STORE_REPLY, reply) or sql.row(
            "SELECT 1 FROM messages WHERE message_id = %s", [reply["message"]]
        )
        return bool(stored)

    if is_stored := sql.insist(write, until=turn.deadline):
        turn.state = "answered"
    return is_stored


def store_notice(turn: Turn, *, text: str, kind: str, error: str) -> None:
    """
    Keep a text of the agent's own instead of an answer; the turn will end failed because of the `error`.

    In the caller's transaction, which must undo it if it raises.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    reply = _row(turn, text=text, kind=kind, error=error)
    if not sql.execute(_STORE_REPLY, {**reply, "may_join": False}):
        raise LeaseLostError
    turn.state = "answered"


def store_failure(turn: Turn, *, error: str) -> None:
    """
    Give the credit back and store the agent's fallback message to be sent instead; without one, end the turn.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    fallback = turn.snapshot["fallback_message"].strip()
    with transaction.atomic():
        if fallback:
            store_notice(turn, text=fallback, kind="fallback", error=error)
        else:
            held_error(turn)
            close(turn_id=turn.turn_id, error=error)
        events.record(
            user_id=turn.snapshot["user_id"],
            type=events.EventType.MESSAGE_FAILED,
            data={"turn_id": turn.turn_id, "reason": error[:255]},
            conversation_id=turn.conversation_id,
        )
        ledger.refund(reference=turn.turn_id, reason=error[:255])
    turn.state = "answered" if fallback else "failed"


def store_handover(turn: Turn, *, text: str, reason: str, tokens_used: int, origin: Origin) -> None:
    """
    Hand the conversation over to a person, as the model asked: pause the AI, flag it, tell the customer.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    said = text or turn.snapshot.get("handover_message", "").strip() or DEFAULT_HANDOVER_MESSAGE
    reply = _row(turn, text=said, kind="handover", tokens_used=tokens_used, origin=origin)
    with transaction.atomic():
        takeover.hand_over(
            customer_id=turn.customer_id,
            conversation_id=turn.conversation_id,
            user_id=turn.snapshot["user_id"],
            reason=reason,
        )
        if not sql.execute(_STORE_REPLY, {**reply, "may_join": False}):
            raise LeaseLostError
    turn.state = "answered"


def stop(turn: Turn) -> None:
    """
    End a turn before the model is asked, since a person has taken over; it costs nothing.

    :raises LeaseLostError: if somebody else holds the turn
    """
    with transaction.atomic():
        held_error(turn)
        close(turn_id=turn.turn_id, error=TAKEN_OVER)
        ledger.refund(reference=turn.turn_id, reason=TAKEN_OVER)
    turn.state = "done"


def _row(
    turn: Turn,
    *,
    text: str,
    kind: str = "text",
    tokens_used: int = 0,
    error: str = "",
    origin: Origin | None = None,
) -> dict[str, Any]:
    origin = origin or Origin()
    deliveries = [
        {"delivery_id": ids.new("dlv"), "part": n, "text": part}
        for n, part in enumerate(parts(text, channel=turn.snapshot["channel"]), start=1)
    ]
    return {
        "turn": turn.turn_id,
        "token": turn.lease_token,
        "customer": turn.customer_id,
        "message": ids.new("msg"),
        "text": text,
        "kind": kind,
        "error": error[:255],
        "tokens": tokens_used,
        "parts": Jsonb(deliveries),
        "response": origin.response_id,
        "is_known": bool(origin.response_id or origin.item_ids),
        "items": Jsonb(list(origin.item_ids)),
        "last_item": origin.item_ids[-1] if origin.item_ids else "",
        "known": list(origin.known),
        "owed": Jsonb(list(origin.owed)),
    }


def parts(text: str, *, channel: str) -> list[str]:
    """Give what will be posted, in the channel's own formatting; the message itself keeps its author's."""
    try:
        sender = senders.for_channel(channel)
    except NotDeliveredError:
        return [text]  # the delivery will say why it failed
    return sender.parts(sender.formatted(text)) or sender.parts(text)


_STORE_REPLY = """
    WITH turn AS (
        UPDATE turns
           SET state = 'answered', answered_at = statement_timestamp(), error = %(error)s
         WHERE turn_id = %(turn)s AND lease_token = %(token)s AND state = 'claimed'
           AND NOT (%(may_join)s AND EXISTS (SELECT 1 FROM inbound_messages
                                              WHERE customer_id = %(customer)s AND status = 'pending'))
        RETURNING turn_id, conversation_id, phone_number_id),
    conversation AS (
        UPDATE conversations
           SET last_sequence_no = last_sequence_no + 1, last_message_at = statement_timestamp(),
               openai_last_item_id = CASE WHEN %(is_known)s THEN %(last_item)s ELSE openai_last_item_id END,
               openai_owed = CASE WHEN %(is_known)s THEN %(owed)s ELSE openai_owed END
          FROM turn
         WHERE conversations.conversation_id = turn.conversation_id
        RETURNING last_sequence_no, user_id),
    known AS (
        UPDATE messages SET openai_knows = true, reaction_known = true
          FROM turn
         WHERE message_id = ANY(%(known)s)),
    message AS (
        INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, turn_id, sender, author,
                              kind, text, media, context, quoted_id, provider_message_id, timestamp, status,
                              sequence_no, reaction, failure_reason, tokens_used, openai_response_id,
                              openai_knows, openai_item_ids)
        SELECT %(message)s, conversation.user_id, turn.conversation_id, turn.phone_number_id, turn.turn_id,
               'agent', 'ai', %(kind)s, %(text)s, '[]', '', '', '', statement_timestamp(), 'pending',
               conversation.last_sequence_no, '', '', %(tokens)s, %(response)s, %(is_known)s, %(items)s
          FROM turn, conversation
        RETURNING message_id)
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                            created_at, updated_at)
    SELECT part.delivery_id, message.message_id, turn.phone_number_id, 1, part.part, part.text, 'pending', '',
           statement_timestamp(), statement_timestamp()
      FROM jsonb_to_recordset(%(parts)s) AS part (delivery_id text, part int, text text), message, turn
"""


# --- The customer wrote on while the model was thinking ----------------------------------------------


def _join(turn: Turn, draft: dict[str, Any]) -> bool:
    """Take what the customer wrote in the meantime into the turn; the draft will never be said."""
    with transaction.atomic():
        held_error(turn)
        head = sql.row(_CUSTOMER, [turn.customer_id])
        assert head is not None
        if uptake.store(head, turn_id=turn.turn_id, conversation_id=turn.conversation_id) is None:
            return False
        sql.execute(_THROW_DRAFT_AWAY, draft)
    turn.drafts += 1
    return True


_CUSTOMER = """
    SELECT customer.customer_id, number.created_at AS registered_at
      FROM customers AS customer JOIN phone_numbers AS number USING (phone_number_id)
     WHERE customer_id = %s
"""

_THROW_DRAFT_AWAY = """
    WITH turn AS (
        UPDATE turns SET drafts = drafts + 1 WHERE turn_id = %(turn)s RETURNING conversation_id),
    known AS (
        UPDATE messages SET openai_knows = true, reaction_known = true WHERE message_id = ANY(%(known)s))
    UPDATE conversations SET openai_owed = '[]', openai_surplus = openai_surplus || %(items)s
      FROM turn
     WHERE conversations.conversation_id = turn.conversation_id
"""
