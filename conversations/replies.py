"""Keeps what will be said before any of it is sent; from then on a turn is `answered`."""

from django.db import transaction
from psycopg.types.json import Jsonb

from billing import ledger
from channels_app import senders
from channels_app.senders.contract import NotDeliveredError
from config.lib import ids, sql
from conversations.holding import Turn, close, held_error
from conversations.leases import LeaseLostError


def store_reply(
    turn: Turn, *, text: str, response_id: str = "", tokens_used: int = 0, error: str = ""
) -> None:
    """
    Keep the reply and one delivery for each POST it takes; the turn is `answered` from here on.

    With an `error` the text is the agent's fallback: the turn will end failed, and the credit comes back.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    texts = _parts(turn, text)
    parts = [
        {"delivery_id": ids.new("dlv"), "part": n, "text": part} for n, part in enumerate(texts, start=1)
    ]
    with transaction.atomic():
        stored = sql.execute(
            _STORE_REPLY,
            {
                "turn": turn.turn_id,
                "token": turn.lease_token,
                "error": error[:255],
                "message": ids.new("msg"),
                "text": text,
                "response": response_id,
                "tokens": tokens_used,
                "parts": Jsonb(parts),
            },
        )
        if not stored:
            raise LeaseLostError
        if error:
            ledger.refund(reference=turn.turn_id, reason=error[:255])
    turn.state = "answered"


def store_failure(turn: Turn, *, error: str) -> None:
    """
    Give the credit back and store the agent's fallback message to be sent instead; without one, end the turn.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    if fallback := turn.snapshot["fallback_message"].strip():
        store_reply(turn, text=fallback, error=error)
        return
    with transaction.atomic():
        held_error(turn)
        close(turn_id=turn.turn_id, error=error)
        ledger.refund(reference=turn.turn_id, reason=error[:255])
    turn.state = "failed"


def _parts(turn: Turn, text: str) -> list[str]:
    """Give what will be posted, in the channel's own formatting; the message itself keeps the model's."""
    try:
        sender = senders.for_channel(turn.snapshot["channel"])
    except NotDeliveredError:
        return [text]  # the delivery will say why it failed
    return sender.parts(sender.formatted(text)) or sender.parts(text)


_STORE_REPLY = """
    WITH turn AS (
        UPDATE turns
           SET state = 'answered', answered_at = statement_timestamp(), error = %(error)s
         WHERE turn_id = %(turn)s AND lease_token = %(token)s AND state = 'claimed'
        RETURNING turn_id, conversation_id, phone_number_id),
    conversation AS (
        UPDATE conversations
           SET last_sequence_no = last_sequence_no + 1, last_message_at = statement_timestamp()
          FROM turn
         WHERE conversations.conversation_id = turn.conversation_id
        RETURNING last_sequence_no),
    message AS (
        INSERT INTO messages (message_id, conversation_id, turn_id, sender, author, kind, text, media,
                              context, quoted_id, provider_message_id, timestamp, status, sequence_no,
                              reaction, failure_reason, tokens_used, openai_response_id, openai_knows)
        SELECT %(message)s, turn.conversation_id, turn.turn_id, 'agent', 'ai', 'text', %(text)s, '[]', '',
               '', '', statement_timestamp(), 'pending', conversation.last_sequence_no, '',
               '', %(tokens)s, %(response)s, %(response)s <> ''
          FROM turn, conversation
        RETURNING message_id)
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                            created_at, updated_at)
    SELECT part.delivery_id, message.message_id, turn.phone_number_id, 1, part.part, part.text, 'pending', '',
           statement_timestamp(), statement_timestamp()
      FROM jsonb_to_recordset(%(parts)s) AS part (delivery_id text, part int, text text), message, turn
"""
