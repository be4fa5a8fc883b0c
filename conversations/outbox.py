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

from billing import ledger
from channels_app import senders
from channels_app.models import PhoneNumber
from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError, Outgoing
from config.lib import sql
from config.lib.crypto import DecryptionError
from conversations.holding import Turn, close, held_error
from conversations.leases import LeaseLostError

log = structlog.get_logger(__name__)


def deliver(turn: Turn) -> None:
    """
    Send what of the turn's reply has not been sent, part after part, and end the turn.

    :raises LeaseLostError: if somebody else holds the turn
    """
    while (delivery := _begin_sending(turn)) is not None:
        outcome = _post(turn, delivery)
        _finish_sending(turn, delivery, outcome)
    with transaction.atomic():
        error = held_error(turn)
        _cancel_unsent(turn)
        close(turn_id=turn.turn_id, error=error)


def _cancel_unsent(turn: Turn) -> None:
    """Take back what was not sent because a person took over in the meantime, and give the credit back."""
    cancelled = sql.rows(_CANCEL_UNSENT, [turn.turn_id])
    if cancelled:
        log.warning("turn.cancelled_by_pause", deliveries=len(cancelled))
        refresh([cancelled[0]["message_id"]])
        ledger.refund(reference=turn.turn_id, reason="a person took over")


_CANCEL_UNSENT = """
    UPDATE deliveries
       SET state = 'cancelled', error = 'a person took over', updated_at = statement_timestamp()
      FROM messages
     WHERE messages.message_id = deliveries.message_id AND messages.turn_id = %s
       AND messages.author = 'ai' AND deliveries.state = 'pending'
    RETURNING deliveries.message_id
"""


def give_up_sending(turn: Turn) -> None:
    """Mark what a dead holder left in `sending`: nobody can tell whether it arrived."""
    with transaction.atomic():
        held_error(turn)
        sql.execute(_GIVE_UP_SENDING, [turn.turn_id])


_GIVE_UP_SENDING = """
    UPDATE deliveries
       SET state = 'unknown', error = 'its sender died', updated_at = statement_timestamp()
      FROM messages
     WHERE messages.message_id = deliveries.message_id AND messages.turn_id = %s
       AND messages.author = 'ai' AND deliveries.state = 'sending'
"""


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
       AND (customer.paused_until IS NULL OR customer.paused_until <= statement_timestamp())
    RETURNING deliveries.delivery_id, deliveries.message_id, deliveries.text, number.phone_number_id,
              number.type, number.access_token, number.api_base_url, number.sender_id,
              customer.wa_id, customer.bsuid, customer.ig_id,
              -- What is answered is quoted only where something newer stands below it.
              CASE WHEN deliveries.part = 1
                    AND EXISTS (SELECT 1 FROM inbound_messages AS newer
                                 WHERE newer.customer_id = turn.customer_id AND newer.status = 'pending')
                   THEN (SELECT answered.provider_message_id FROM messages AS answered
                          WHERE answered.turn_id = turn.turn_id AND answered.author = 'customer'
                          ORDER BY answered.sequence_no DESC
                          LIMIT 1) END AS reply_to
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
                api_base_url=delivery["api_base_url"],
                sender_id=delivery["sender_id"],
                reply_to=delivery["reply_to"] or "",
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
      FROM (SELECT message_id,
                   string_agg(error, '; ' ORDER BY part)
                       FILTER (WHERE state IN ('failed', 'cancelled')) AS error,
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
