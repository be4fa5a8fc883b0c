"""
The outbox: a reply is stored before it is sent, and each of its parts is posted once.

A delivery goes pending → sending → sent | failed | unknown. `sending` is committed before a byte leaves, so a
delivery found there after its holder died may or may not have arrived: it becomes `unknown`, which no machine
repeats, until a status or an echo proves that it arrived.
"""

import time
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import events, ledger
from channels_app import alarms
from config.lib import failpoints, ids, sql
from conversations import leases, statuses
from conversations.holding import TAKEN_OVER, Turn, close, held_error
from conversations.leases import LeaseLostError
from conversations.posting import Outcome, post

log = structlog.get_logger(__name__)


def deliver(turn: Turn) -> None:
    """
    Send what of the turn's reply has not been sent, part after part, and end the turn.

    :raises LeaseLostError: if somebody else holds the turn
    """
    while (delivery := _begin_sending(turn)) is not None:
        failpoints.reach("P10", about=turn.phone_number_id)
        outcome = post(delivery, may_go=partial(_may_go, turn))
        failpoints.reach("P11", about=turn.phone_number_id)
        is_ended = sql.insist(
            lambda: _finish(turn, delivery, outcome),  # noqa: B023  (called before the next round)
            until=turn.deadline + settings.TURN_LEASE / 1000,
        )
        if is_ended:
            return
        failpoints.reach("P13", about=turn.phone_number_id)
    with transaction.atomic():
        error = held_error(turn)
        taken_over = _cancel_unsent(turn)
        close(turn_id=turn.turn_id, error=error or (TAKEN_OVER if taken_over else ""))


def charge_reference(turn_id: str, attempt: int) -> str:
    """Name what an attempt to send a turn's reply was charged under: the first under the turn itself."""
    return turn_id if attempt == 1 else f"{turn_id}/{attempt}"


# --- Before the POST ---------------------------------------------------------------------------------


def _begin_sending(turn: Turn) -> dict[str, Any] | None:
    if time.monotonic() > turn.deadline - settings.GRAPH_TIMEOUT / 1000:
        raise LeaseLostError  # no time left for a POST: the next holder sends what is pending
    return sql.insist(lambda: _begin(turn_id=turn.turn_id, token=turn.lease_token), until=turn.deadline)


def _begin(*, turn_id: str, token: str) -> dict[str, Any] | None:
    lease = settings.GRAPH_TIMEOUT / 1000 + 5
    return sql.row(_BEGIN_SENDING, {"turn": turn_id, "token": token, "lease": lease})


WHAT_TO_POST = """
    deliveries.delivery_id, deliveries.message_id, deliveries.text, deliveries.attempt,
    number.phone_number_id, number.type, number.access_token, number.api_base_url, number.sender_id,
    customer.customer_id, customer.wa_id, customer.bsuid, customer.ig_id
"""

# One in `sending` by our own token was not posted: its COMMIT broke after all, and we are asking again.
_BEGIN_SENDING = f"""
    UPDATE deliveries
       SET state = 'sending', sending_at = statement_timestamp(), updated_at = statement_timestamp(),
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
      FROM phone_numbers AS number, customers AS customer, turns AS turn, messages AS message
     WHERE deliveries.delivery_id = (
               SELECT delivery_id
                 FROM deliveries JOIN messages USING (message_id)
                WHERE messages.turn_id = %(turn)s AND messages.author = 'ai'
                  AND (deliveries.state = 'pending'
                       OR (deliveries.state = 'sending' AND deliveries.lease_token = %(token)s))
                ORDER BY attempt, part
                LIMIT 1)
       AND (deliveries.state = 'pending' OR deliveries.lease_token = %(token)s)
       AND message.message_id = deliveries.message_id
       AND turn.turn_id = %(turn)s AND turn.lease_token = %(token)s AND turn.state = 'answered'
       AND number.phone_number_id = turn.phone_number_id
       AND customer.customer_id = turn.customer_id
       AND (message.kind = 'handover'
            OR customer.paused_until IS NULL OR customer.paused_until <= statement_timestamp())
    RETURNING {WHAT_TO_POST},
              NOT EXISTS (SELECT 1 FROM deliveries AS later
                           WHERE later.message_id = deliveries.message_id AND later.state = 'pending'
                             AND later.delivery_id <> deliveries.delivery_id) AS is_last,
              -- What is answered is quoted only where something newer stands below it.
              CASE WHEN deliveries.part = 1
                    AND EXISTS (SELECT 1 FROM inbound_messages AS newer
                                 WHERE newer.customer_id = turn.customer_id AND newer.status = 'pending')
                   THEN (SELECT answered.provider_message_id FROM messages AS answered
                          WHERE answered.turn_id = turn.turn_id AND answered.author = 'customer'
                          ORDER BY answered.sequence_no DESC
                          LIMIT 1) END AS reply_to
"""  # noqa: S608  (columns, all our own words)


# --- The POST ----------------------------------------------------------------------------------------


def _may_go(turn: Turn) -> bool:
    """Tell whether the turn is still ours, right before a POST: this process may have been frozen."""
    return time.monotonic() < turn.deadline and leases.is_valid(turn.lease_token)


# --- After the POST ----------------------------------------------------------------------------------


def _finish(turn: Turn, delivery: dict[str, Any], outcome: Outcome) -> bool:
    """Write down how a POST ended, and tell whether the turn ended with it, as it mostly does."""
    if outcome.state == "sent" and delivery["is_last"]:
        facts = {**_facts(delivery, outcome, token=turn.lease_token), "turn": turn.turn_id}
        if sql.execute(_FINISH_ALL, facts):
            return True
    finish_sending(delivery, outcome, token=turn.lease_token, turn_id=turn.turn_id)
    return False


def _facts(delivery: dict[str, Any], outcome: Outcome, *, token: str) -> dict[str, Any]:
    return {
        "token": token,
        "delivery": delivery["delivery_id"],
        "message": delivery["message_id"],
        "state": outcome.state,
        "provider": outcome.provider_message_id,
        "error": outcome.error,
        "event": ids.new("evt"),
    }


# The last part was sent, and the turn is done: what `finish_sending`, `refresh` and `close` do, at once.
# Locks are taken in the order of all locks: turn, message, delivery.
_FINISH_ALL = f"""
    WITH turn AS (
        SELECT turn_id FROM turns
         WHERE turn_id = %(turn)s AND lease_token = %(token)s AND state = 'answered' AND error = ''
           FOR UPDATE),
    message AS (
        SELECT message_id FROM messages, turn WHERE message_id = %(message)s FOR UPDATE OF messages),
    delivery AS (
        UPDATE deliveries
           SET state = CASE WHEN state IN ('sending', 'unknown') THEN 'sent' ELSE state END,
               provider_message_id = COALESCE(provider_message_id, %(provider)s),
               error = '', updated_at = statement_timestamp()
          FROM message
         WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
        RETURNING delivery_id),
    said AS (
        UPDATE messages SET status = 'sent'
          FROM delivery
         WHERE messages.message_id = %(message)s AND messages.status = 'pending'
           AND NOT EXISTS (SELECT 1 FROM deliveries AS other
                            WHERE other.message_id = %(message)s AND other.delivery_id <> %(delivery)s
                              AND other.state NOT IN ('sent', 'delivered', 'read'))
        RETURNING message_id, user_id, conversation_id, phone_number_id, author, text, timestamp),
    told AS (
        INSERT INTO events (event_id, user_id, type, conversation_id, data)
        SELECT %(event)s, said.user_id, 'message.sent', said.conversation_id, {statuses.sent("said")}
          FROM said
         WHERE {events.wanted(user="said.user_id", type=events.EventType.MESSAGE_SENT)}),
    inbox AS (
        UPDATE inbound_messages SET status = 'done', reason = '' FROM delivery WHERE turn_id = %(turn)s)
    UPDATE turns SET state = 'done', closed_at = statement_timestamp()
      FROM delivery
     WHERE turns.turn_id = %(turn)s
"""  # noqa: S608  (our own words)


@transaction.atomic
def finish_sending(delivery: dict[str, Any], outcome: Outcome, *, token: str, turn_id: str | None) -> None:
    """
    Write down how a POST ended; a status that was told in the meantime is not taken back.

    If it failed, what this attempt to send a turn's reply cost comes back.
    """
    facts = _facts(delivery, outcome, token=token)
    sql.execute("SELECT 1 FROM messages WHERE message_id = %(message)s FOR UPDATE", facts)
    sql.execute(_FINISH_SENDING, facts)
    if outcome.state == "failed":
        sql.execute(_CANCEL_REST, facts)
    statuses.refresh([facts["message"]])
    if outcome.state == "failed" and turn_id:
        reference = charge_reference(turn_id, delivery["attempt"])
        ledger.refund(reference=reference, reason="reply not delivered")
    if outcome.is_channel_broken:
        code, _, reason = outcome.error.partition(": ")
        alarms.raise_alarm(phone_number_id=delivery["phone_number_id"], code=code, reason=reason)


_FINISH_SENDING = """
    UPDATE deliveries
       SET state = CASE WHEN state IN ('sending', 'unknown') THEN %(state)s ELSE state END,
           provider_message_id = COALESCE(provider_message_id, %(provider)s),
           error = %(error)s, updated_at = statement_timestamp()
     WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
"""

_CANCEL_REST = """
    UPDATE deliveries SET state = 'cancelled', updated_at = statement_timestamp()
     WHERE message_id = %(message)s AND state = 'pending'
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


def _cancel_unsent(turn: Turn) -> bool:
    """Take back what was not sent because a person took over in the meantime, and give the credit back."""
    cancelled = sql.rows(_CANCEL_UNSENT, [TAKEN_OVER, turn.turn_id])
    if cancelled:
        log.warning("turn.cancelled_by_pause", deliveries=len(cancelled))
        statuses.refresh([cancelled[0]["message_id"]])
        ledger.refund(reference=turn.turn_id, reason=TAKEN_OVER)
    return bool(cancelled)


_CANCEL_UNSENT = """
    UPDATE deliveries
       SET state = 'cancelled', error = %s, updated_at = statement_timestamp()
      FROM messages
     WHERE messages.message_id = deliveries.message_id AND messages.turn_id = %s
       AND messages.author = 'ai' AND deliveries.state = 'pending'
    RETURNING deliveries.message_id
"""
