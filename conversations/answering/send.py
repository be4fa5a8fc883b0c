"""
The outbox: a reply is stored before it is sent, and each of its parts is posted once.

A delivery goes pending → sending → sent | failed | unknown. `sending` is committed before a byte leaves, so a
delivery found there after its holder died may or may not have arrived: it becomes `unknown`, which no machine
repeats, until a status or an echo proves that it arrived, or a person decides (`unknown`, `retrying`).

Beginning and finishing are for many turns at once; what is rarer has a transaction of its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from billing.events import EventType
from channels_app import channel_errors
from config.lib import sql
from conversations import leases, message_events, refunds, statuses, unknown
from conversations.answering.open_turn import OpenTurn, close, held_error
from conversations.answering.send_queries import BEGIN_SQL, FINISH_SQL, WAITING_NUMBERS_SQL
from conversations.posting import Outcome, Posting
from conversations.reasons import TAKEN_OVER

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """A part that was posted, and how that ended."""

    turn: OpenTurn
    posting: Posting
    outcome: Outcome


# --- Before the POST ---------------------------------------------------------------------------------


def has_time_to_send(turn: OpenTurn) -> bool:
    """Return whether there is time left for a POST before the turn's deadline."""
    return time.monotonic() <= turn.deadline - float(settings.GRAPH_TIMEOUT) / 1000


def begin(turns: Sequence[OpenTurn]) -> list[Posting | None]:
    """Mark the next part of each turn's reply as `sending`; None where nothing is to be sent any more."""
    rows = sql.rows(
        BEGIN_SQL,
        {
            "turns": [turn.turn_id for turn in turns],
            "tokens": [turn.lease_token for turn in turns],
            "lease": settings.GRAPH_TIMEOUT / 1000 + 5,
        },
    )
    begun = {row["turn_id"]: Posting.from_row(row) for row in rows}
    return [begun.get(turn.turn_id) for turn in turns]


def may_go(turn: OpenTurn) -> bool:
    """Return whether the turn is still ours, right before a POST: this process may have been frozen."""
    return time.monotonic() < turn.deadline and leases.is_valid(turn.lease_token)


# --- After the POST ----------------------------------------------------------------------------------


def finish(posted: Sequence[Posted]) -> list[bool]:
    """
    End the turns whose last part was sent, and return which have ended.

    The others are for `finish_sending`: another part did not arrive, or the turn has failed already. A turn
    that ended knows whether anything waits on its number.
    """
    with transaction.atomic():
        rows = sql.rows(
            FINISH_SQL,
            {
                "posted": Jsonb(
                    [
                        {
                            "turn": one.turn.turn_id,
                            "token": one.turn.lease_token,
                            "message": one.posting.message_id,
                            "delivery": one.posting.delivery_id,
                            "provider": one.outcome.provider_message_id,
                        }
                        for one in posted
                    ]
                )
            },
        )
        ended = {row["turn_id"]: row["is_sent"] for row in rows}
        message_events.record(
            *(
                (one.posting.message_id, EventType.MESSAGE_SENT)
                for one in posted
                if one.posting.is_sent_wanted and ended.get(one.turn.turn_id)
            )
        )
    # Looked for after the turns ended: what came before found them open, what comes later rings.
    numbers = list({one.turn.phone_number_id for one in posted})
    waiting = {row["phone_number_id"] for row in sql.rows(WAITING_NUMBERS_SQL, {"numbers": numbers})}
    for one in posted:
        one.turn.anything_waits = one.turn.phone_number_id in waiting
    return [one.turn.turn_id in ended for one in posted]


def end(turn: OpenTurn) -> None:
    """
    End a turn of which nothing is to be sent any more.

    :raises LeaseLostError: if another process holds the turn
    """
    with transaction.atomic():
        error = held_error(turn)
        taken_over = _cancel_unsent(turn)
        close([turn.turn_id], error=error or (TAKEN_OVER if taken_over else ""))


@transaction.atomic
def finish_sending(posting: Posting, outcome: Outcome, token: str, turn_id: str | None) -> None:
    """
    Store how a POST ended; a status that came in the meantime is not taken back.

    If the reply has failed with it, its charge is refunded.
    """
    facts = {
        "token": token,
        "delivery": posting.delivery_id,
        "message": posting.message_id,
        "state": outcome.state,
        "provider": outcome.provider_message_id,
        "error": outcome.error,
    }
    has_failed = outcome.state == "failed"
    if has_failed:
        statuses.lock_conversations([posting.message_id])
    statuses.lock([posting.message_id])
    sql.execute(_FINISH_SENDING_SQL, facts)
    if has_failed:
        sql.execute(_CANCEL_REST_SQL, facts)
    statuses.refresh([posting.message_id])
    if has_failed and turn_id:
        refunds.refund_failed([posting.message_id])
    if outcome.is_channel_broken:
        code, _, reason = outcome.error.partition(": ")
        channel_errors.record(phone_number_id=posting.phone_number_id, code=code, reason=reason)


_FINISH_SENDING_SQL = """
    UPDATE deliveries
       SET state = CASE WHEN state IN ('sending', 'unknown') THEN %(state)s ELSE state END,
           provider_message_id = COALESCE(provider_message_id, %(provider)s),
           error = %(error)s, updated_at = statement_timestamp()
     WHERE delivery_id = %(delivery)s AND lease_token = %(token)s
"""

_CANCEL_REST_SQL = """
    UPDATE deliveries SET state = 'cancelled', updated_at = statement_timestamp()
     WHERE message_id = %(message)s AND state = 'pending'
"""


def give_up_sending(turn: OpenTurn) -> None:
    """Mark the delivery that a dead holder left in `sending`: nobody knows whether it arrived."""
    with transaction.atomic():
        held_error(turn)
        if message_id := _reply_of(turn.turn_id):
            unknown.give_up(message_id)


def _cancel_unsent(turn: OpenTurn) -> bool:
    """
    Cancel the parts that were not sent because a person took over in the meantime.

    The charge is refunded if no part was sent: else a program that pauses after the first part of each reply
    would get first parts free.
    """
    message_id = _reply_of(turn.turn_id)
    if message_id is None or not sql.row(_ANY_UNSENT_SQL, [message_id]):
        return False
    statuses.lock_conversations([message_id])
    statuses.lock([message_id])
    cancelled = sql.execute(_CANCEL_UNSENT_SQL, [TAKEN_OVER, message_id])
    if cancelled:
        log.warning("turn.cancelled_by_pause", deliveries=cancelled)
        statuses.refresh([message_id])
        refunds.refund_unsent(message_id, reason=TAKEN_OVER)
    return bool(cancelled)


def _reply_of(turn_id: str) -> str | None:
    row = sql.row("SELECT message_id FROM messages WHERE turn_id = %s AND author = 'ai'", [turn_id])
    return str(row["message_id"]) if row else None


_ANY_UNSENT_SQL = "SELECT 1 FROM deliveries WHERE message_id = %s AND state = 'pending' LIMIT 1"
_CANCEL_UNSENT_SQL = """
    UPDATE deliveries
       SET state = 'cancelled', error = %s, updated_at = statement_timestamp()
     WHERE message_id = %s AND state = 'pending'
"""
