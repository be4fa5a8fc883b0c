"""
Claiming: the only critical section. One short transaction under the number's advisory lock.

It takes up a turn whose holder died, before any new one. Else it opens one for the due customer with the
oldest waiting message and no open turn: what they wrote becomes messages of the conversation, and the credit
is taken. What a paused customer wrote becomes messages too, but no turn.
"""

import uuid
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import ledger
from channels_app.models import PhoneNumber
from channels_app.webchat import bell
from config.lib import failpoints, ids, locks, sql
from config.lib.jobs import Job, ring
from config.lib.locks import Lock
from conversations import lines, replies, takeover, uptake
from conversations.holding import NO_CREDITS, QUARANTINED_AFTER, Turn, close, held

log = structlog.get_logger(__name__)


class _BusyError(Exception):
    """Somebody else is claiming on this number right now."""


def claim(*, phone_number_id: str, quarantined: bool = False) -> Turn | None:
    """
    Take up the number's next turn; None when nothing is due, or as many turns are open as may be.

    Turns that lost their holder again and again are for `quarantined` claims, which take up nothing else.
    """
    with lines.stand(phone_number_id) as line:
        try:
            return _claim(phone_number_id, line, quarantined=quarantined, waits=False)
        except _BusyError:
            with lines.stand_in_redis(phone_number_id):
                return _claim(phone_number_id, line, quarantined=quarantined, waits=True)


def anything_waits(*, phone_number_id: str) -> bool:
    """Tell whether a message waits on a number that somebody may have to answer now."""
    return sql.row(_ANYTHING_WAITS, [phone_number_id]) is not None


_ANYTHING_WAITS = """
    SELECT 1 FROM inbound_messages JOIN customers USING (customer_id)
     WHERE inbound_messages.phone_number_id = %s AND status = 'pending' AND due_at <= statement_timestamp()
     LIMIT 1
"""


@transaction.atomic
def _claim(phone_number_id: str, line: lines.Line, *, quarantined: bool, waits: bool) -> Turn | None:
    failpoints.reach("P6", about=phone_number_id)
    if waits:
        locks.take(Lock.CLAIM, phone_number_id)
    elif not locks.try_take(Lock.CLAIM, phone_number_id):
        raise _BusyError
    turn = _resume(phone_number_id, quarantined=quarantined)
    while turn is None and not quarantined and (head := _head(phone_number_id)) is not None:
        if head["others_wait"] and not line.others_stand:
            ring(Job.DRAIN, phone_number_id=phone_number_id)
        turn = _take_up(phone_number_id, head)
    return turn


def _take_up(phone_number_id: str, head: dict[str, Any]) -> Turn | None:
    if head["is_paused"]:
        uptake.store(head, turn_id=None)
        return None
    if head["answered"] >= settings.REPLY_BUDGET:
        takeover.pause(customer_id=head["customer_id"], reason="reply_budget")
        return None
    return _open(phone_number_id, head)


# --- A turn whose holder died ------------------------------------------------------------------------


def _resume(phone_number_id: str, *, quarantined: bool) -> Turn | None:
    token = str(uuid.uuid4())
    row = sql.row(
        _RESUME,
        {
            "number": phone_number_id,
            "token": token,
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
            "quarantined": quarantined,
            "quarantined_after": QUARANTINED_AFTER,
        },
    )
    if row is None:
        return None
    row["snapshot"] = sql.loaded(row["snapshot"])
    log.warning("turn.resumed", turn_id=row["turn_id"], state=row["state"], attempts=row["attempts"])
    return held(row, token, is_resumed=True)


# A holder that handed its turn back left no token, and does not count.
_RESUME = """
    UPDATE turns
       SET attempts = attempts + (lease_token IS NOT NULL AND state = 'claimed')::int,
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           deadline_at = statement_timestamp() + make_interval(secs => %(deadline)s),
           not_before = NULL
     WHERE turn_id = (SELECT turn_id
                        FROM turns
                       WHERE phone_number_id = %(number)s AND state IN ('claimed', 'answered')
                         AND lease_expires_at <= statement_timestamp()
                         AND (not_before IS NULL OR not_before <= statement_timestamp())
                         AND (attempts + (lease_token IS NOT NULL AND state = 'claimed')::int
                              >= %(quarantined_after)s) = %(quarantined)s
                       ORDER BY turn_id
                       LIMIT 1)
       AND lease_expires_at <= statement_timestamp()
    RETURNING turn_id, phone_number_id, customer_id, conversation_id, state, attempts, drafts, snapshot
"""


# --- A new turn --------------------------------------------------------------------------------------


def _head(phone_number_id: str) -> dict[str, Any] | None:
    return sql.row(
        _HEAD,
        {
            "number": phone_number_id,
            "concurrency": settings.PHONE_NUMBER_CONCURRENCY,
            "window": settings.REPLY_BUDGET_WINDOW / 1000,
        },
    )


# The due customer with the oldest waiting message and no open turn, and who answers them.
_HEAD = """
    WITH claimable AS NOT MATERIALIZED (
        SELECT message.id, message.customer_id
          FROM inbound_messages AS message
          JOIN customers AS customer USING (customer_id)
         WHERE message.phone_number_id = %(number)s AND message.status = 'pending'
           AND customer.due_at <= statement_timestamp()
           AND NOT EXISTS (SELECT 1 FROM turns
                            WHERE turns.customer_id = message.customer_id
                              AND turns.state IN ('claimed', 'answered'))),
    head AS (
        SELECT * FROM claimable
         WHERE (SELECT count(*) FROM turns
                 WHERE phone_number_id = %(number)s AND state IN ('claimed', 'answered')) < %(concurrency)s
         ORDER BY id
         LIMIT 1)
    SELECT customer.customer_id, number.user_id, number.created_at AS registered_at,
           COALESCE(customer.paused_until > statement_timestamp(), false) AS is_paused,
           (SELECT count(*) FROM turns
             WHERE turns.customer_id = customer.customer_id AND turns.state = 'done'
               AND turns.created_at > statement_timestamp() - make_interval(secs => %(window)s)) AS answered,
           agent.agent_id, agent.prompt_id, agent.fallback_message, agent.handover_enabled,
           agent.handover_message, agent.unavailable_message, number.type AS channel,
           -- None where the prompt is not the user's own: then it can only be one of OpenAI's dashboard.
           CASE WHEN prompt.prompt_id IS NOT NULL
                THEN COALESCE(agent.prompt_version, prompt.current_version) END AS prompt_version,
           COALESCE(customer.wa_id, customer.bsuid, customer.ig_id, customer.visitor_id) AS address,
           customer.name AS customer_name, business.company_name AS business_name, business.timezone,
           EXISTS (SELECT 1 FROM claimable WHERE claimable.customer_id <> head.customer_id) AS others_wait
      FROM head
      JOIN customers AS customer USING (customer_id)
      JOIN phone_numbers AS number ON number.phone_number_id = %(number)s AND number.deleted_at IS NULL
      JOIN users AS business ON business.user_id = number.user_id
      JOIN agents AS agent ON agent.phone_number_id = %(number)s AND agent.deleted_at IS NULL
      LEFT JOIN prompts AS prompt ON prompt.prompt_id = agent.prompt_id AND prompt.user_id = agent.user_id
"""

# What a turn is answered under: a change of agent, prompt or price does not touch it.
_KEPT = (
    *("user_id", "agent_id", "prompt_id", "prompt_version", "channel"),
    *("fallback_message", "handover_enabled", "handover_message"),
    *("customer_name", "business_name", "timezone"),
)


def _open(phone_number_id: str, head: dict[str, Any]) -> Turn | None:
    """Open a turn for a customer; None when none of what they wrote may be answered."""
    token, turn_id = str(uuid.uuid4()), ids.new("trn")
    row = {
        "turn_id": turn_id,
        "phone_number_id": phone_number_id,
        "customer_id": head["customer_id"],
        "state": "claimed",
        "attempts": 0,
        "drafts": 0,
        "snapshot": {**{name: head[name] for name in _KEPT}, "price": settings.CREDITS_PER_REPLY},
    }
    row["conversation_id"] = uptake.store(head, turn_id=turn_id, token=token, turn=row)
    if row["conversation_id"] is None:
        return None
    turn = held(row, token)
    try:
        ledger.charge(user_id=head["user_id"], amount=settings.CREDITS_PER_REPLY, reference=turn_id)
    except ledger.InsufficientCreditsError:
        return _reject(turn, head)
    failpoints.reach("P21", about=phone_number_id)
    return turn


def _reject(turn: Turn, head: dict[str, Any]) -> Turn | None:
    """Keep the messages of somebody whose credits are out; the customer is told so once a day, if at all."""
    log.warning("turn.rejected", turn_id=turn.turn_id, user_id=head["user_id"], reason=NO_CREDITS)
    if head["unavailable_message"].strip() and sql.execute(_TELL_ONCE_A_DAY, [turn.customer_id]):
        replies.store_notice(turn, text=head["unavailable_message"], kind="unavailable", error=NO_CREDITS)
        return turn
    close(turn_id=turn.turn_id, error=NO_CREDITS)
    if head["channel"] == PhoneNumber.Type.WEBCHAT:
        bell.ring(turn.customer_id)
    return None


_TELL_ONCE_A_DAY = """
    UPDATE customers SET told_unavailable_at = statement_timestamp()
     WHERE customer_id = %s
       AND (told_unavailable_at IS NULL OR told_unavailable_at < statement_timestamp() - interval '1 day')
"""
