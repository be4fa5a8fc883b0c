"""
The outbox: a reply is stored before it is sent, and each of its parts is posted once.

A delivery goes pending → sending → sent | failed | unknown. `sending` is committed before a byte leaves, so a
delivery found there after its holder died may or may not have arrived: it becomes `unknown`, which no machine
repeats, until a status or an echo proves that it arrived.
"""

import time
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from billing import ledger
from channels_app import senders
from channels_app.models import PhoneNumber
from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError, Outgoing
from config.lib import ids, sql
from config.lib.crypto import DecryptionError
from conversations import claims
from conversations.claims import Turn
from conversations.leases import LeaseLostError
from conversations.parts import split

log = structlog.get_logger(__name__)


def store_reply(
    turn: Turn, *, text: str, response_id: str = "", tokens_used: int = 0, error: str = ""
) -> None:
    """
    Keep the reply and one delivery for each POST it takes; the turn is `answered` from here on.

    With an `error` the text is the agent's fallback: the turn will end failed, and the credit comes back.

    :raises LeaseLostError: if somebody else holds the turn; nothing is kept
    """
    texts = split(text, limit=_limit(turn))
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
        _held_error(turn)
        claims.close(turn_id=turn.turn_id, error=error)
        ledger.refund(reference=turn.turn_id, reason=error[:255])
    turn.state = "failed"


def _limit(turn: Turn) -> int:
    try:
        return senders.for_channel(turn.snapshot["channel"]).MAX_LENGTH
    except NotDeliveredError:
        return 4000


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
        INSERT INTO messages (message_id, conversation_id, turn_id, sender, author, text, timestamp, status,
                              sequence_no, failure_reason, tokens_used, openai_response_id)
        SELECT %(message)s, turn.conversation_id, turn.turn_id, 'agent', 'ai', %(text)s,
               statement_timestamp(), 'pending', conversation.last_sequence_no, '', %(tokens)s, %(response)s
          FROM turn, conversation
        RETURNING message_id)
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                            created_at, updated_at)
    SELECT part.delivery_id, message.message_id, turn.phone_number_id, 1, part.part, part.text, 'pending', '',
           statement_timestamp(), statement_timestamp()
      FROM jsonb_to_recordset(%(parts)s) AS part (delivery_id text, part int, text text), message, turn
"""


def deliver(turn: Turn) -> None:
    """
    Send what of the turn's reply has not been sent, part after part, and end the turn.

    :raises LeaseLostError: if somebody else holds the turn
    """
    while (delivery := _begin_sending(turn)) is not None:
        outcome = _post(turn, delivery)
        _finish_sending(turn, delivery, outcome)
    with transaction.atomic():
        error = _held_error(turn)
        claims.close(turn_id=turn.turn_id, error=error)


def give_up_sending(turn: Turn) -> None:
    """Mark what a dead holder left in `sending`: nobody can tell whether it arrived."""
    with transaction.atomic():
        _held_error(turn)
        sql.execute(_GIVE_UP_SENDING, [turn.turn_id])


_GIVE_UP_SENDING = """
    UPDATE deliveries
       SET state = 'unknown', error = 'its sender died', updated_at = statement_timestamp()
      FROM messages
     WHERE messages.message_id = deliveries.message_id AND messages.turn_id = %s
       AND messages.author = 'ai' AND deliveries.state = 'sending'
"""


def _held_error(turn: Turn) -> str:
    """Lock the turn and give its error, if it is still ours."""
    row = sql.row(
        "SELECT error FROM turns WHERE turn_id = %s AND lease_token = %s FOR UPDATE",
        [turn.turn_id, turn.lease_token],
    )
    if row is None:
        raise LeaseLostError
    return str(row["error"])


def _begin_sending(turn: Turn) -> dict[str, Any] | None:
    if time.monotonic() > turn.deadline - settings.GRAPH_TIMEOUT / 1000:
        raise LeaseLostError  # no time left for a POST: the next holder sends what is pending
    return sql.row(
        _BEGIN_SENDING,
        {"turn": turn.turn_id, "token": turn.lease_token, "lease": settings.GRAPH_TIMEOUT / 1000 + 5},
    )


_BEGIN_SENDING = """
    UPDATE deliveries
       SET state = 'sending', sending_at = statement_timestamp(), updated_at = statement_timestamp(),
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
      FROM phone_numbers AS number, customers AS customer, turns AS turn
     WHERE deliveries.delivery_id = (
               SELECT delivery_id
                 FROM deliveries JOIN messages USING (message_id)
                WHERE messages.turn_id = %(turn)s AND messages.author = 'ai' AND deliveries.state = 'pending'
                ORDER BY attempt, part
                LIMIT 1)
       AND deliveries.state = 'pending'
       AND turn.turn_id = %(turn)s AND turn.lease_token = %(token)s AND turn.state = 'answered'
       AND number.phone_number_id = turn.phone_number_id
       AND customer.customer_id = turn.customer_id
    RETURNING deliveries.delivery_id, deliveries.message_id, deliveries.text, number.phone_number_id,
              number.type, number.access_token, customer.wa_id, customer.bsuid, customer.ig_id
"""


def _post(turn: Turn, delivery: dict[str, Any]) -> tuple[str, str | None, str]:
    """Post one delivery, once; give its new state, the channel's id for it and what went wrong."""
    number = PhoneNumber(phone_number_id=delivery["phone_number_id"], access_token=delivery["access_token"])
    # No connection is held while a foreign API is called.
    connection.close()
    if time.monotonic() > turn.deadline:
        raise LeaseLostError
    try:
        provider_message_id = senders.for_channel(delivery["type"]).send(
            Outgoing(
                phone_number_id=delivery["phone_number_id"],
                access_token=number.get_access_token(),
                wa_id=delivery["wa_id"],
                bsuid=delivery["bsuid"],
                ig_id=delivery["ig_id"],
                text=delivery["text"],
                callback_data=delivery["delivery_id"],
                timeout=settings.GRAPH_TIMEOUT / 1000,
            )
        )
    except DecryptionError as error:
        log.error("delivery.no_token", delivery_id=delivery["delivery_id"], reason=str(error))
        return "failed", None, "no_token: the access token cannot be read"
    except NotDeliveredError as error:
        log.warning("delivery.failed", delivery_id=delivery["delivery_id"], code=error.code)
        return "failed", None, f"{error.code}: {error}"
    except OutcomeUnknownError as error:
        log.warning("delivery.unknown", delivery_id=delivery["delivery_id"], code=error.code)
        return "unknown", None, f"{error.code}: {error}"
    return "sent", provider_message_id, ""


def _finish_sending(turn: Turn, delivery: dict[str, Any], outcome: tuple[str, str | None, str]) -> None:
    """Write down how a POST ended; a status that was told in the meantime is not taken back."""
    state, provider_message_id, error = outcome
    with transaction.atomic():
        sql.execute("SELECT 1 FROM messages WHERE message_id = %s FOR UPDATE", [delivery["message_id"]])
        sql.execute(
            _FINISH_SENDING,
            {
                "state": state,
                "provider": provider_message_id,
                "error": error,
                "delivery": delivery["delivery_id"],
                "token": turn.lease_token,
            },
        )
        if state == "failed":
            sql.execute(_CANCEL_REST, [delivery["message_id"]])
        refresh([delivery["message_id"]])
        if state == "failed":
            ledger.refund(reference=turn.turn_id, reason="reply not delivered")


_FINISH_SENDING = """
    UPDATE deliveries
       SET state = CASE WHEN state IN ('sending', 'unknown') THEN %(state)s ELSE state END,
           provider_message_id = COALESCE(provider_message_id, %(provider)s),
           error = %(error)s, updated_at = statement_timestamp()
     WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
"""

_CANCEL_REST = """
    UPDATE deliveries SET state = 'cancelled', updated_at = statement_timestamp()
     WHERE message_id = %s AND state = 'pending'
"""


def refresh(message_ids: list[str]) -> None:
    """Give messages the status of their newest attempt's deliveries; their rows are locked by the caller."""
    sql.execute(_REFRESH, [message_ids])


_REFRESH = """
    UPDATE messages
       SET status = found.status,
           failure_reason = CASE WHEN found.status = 'failed' THEN found.error ELSE '' END,
           failed_at = CASE WHEN found.status = 'failed' THEN statement_timestamp() END
      FROM (SELECT message_id, string_agg(error, '; ' ORDER BY part) FILTER (WHERE state = 'failed') AS error,
                   CASE WHEN bool_or(state IN ('failed', 'cancelled')) THEN 'failed'
                        WHEN bool_or(state IN ('pending', 'sending', 'unknown')) THEN 'pending'
                        WHEN bool_or(state = 'sent') THEN 'sent'
                        WHEN bool_or(state = 'delivered') THEN 'delivered'
                        ELSE 'read' END AS status
              FROM deliveries
             WHERE message_id = ANY(%s)
               AND attempt = (SELECT max(attempt) FROM deliveries AS newer
                               WHERE newer.message_id = deliveries.message_id)
             GROUP BY message_id) AS found
     WHERE messages.message_id = found.message_id AND messages.status <> found.status
"""
