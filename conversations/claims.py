"""
Claiming: the only critical section. One short transaction under the number's advisory lock.

It takes up a turn whose holder died, before any new one; else the due customer with the oldest waiting
message and no open turn: all of their waiting messages become messages of the conversation and one turn, and
the credit is taken. A Redis lock stands in front, so that contenders wait there and not with a connection of
Postgres; nothing depends on it.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb
from redis.exceptions import LockError
from redis.lock import Lock as RedisLock

from billing import ledger
from config.lib import ids, locks, redis, sql
from config.lib.jobs import Job, ring
from config.lib.locks import Lock

log = structlog.get_logger(__name__)

# The third holder that vanishes takes the turn with it: something in it kills workers.
MAX_ATTEMPTS = 3
# What one claim may take together: an upper bound for what the model is sent at once.
MAX_MESSAGES = 100


@dataclass(slots=True)
class Turn:
    """A turn this process holds; `deadline` is on the monotonic clock."""

    turn_id: str
    lease_token: str
    state: str
    phone_number_id: str
    customer_id: str
    conversation_id: str
    snapshot: dict[str, Any]
    attempts: int
    deadline: float

    @property
    def is_poisonous(self) -> bool:
        """Tell whether so many holders vanished over it that it must not be tried again."""
        return self.attempts >= MAX_ATTEMPTS

    @property
    def ask_until(self) -> float:
        """When the model must have answered, so that there is time left to send."""
        return self.deadline - 1.5 * float(settings.GRAPH_TIMEOUT) / 1000

    @property
    def correlation_id(self) -> str:
        """The id of the webhook that brought the newest of its messages."""
        return str(self.snapshot.get("correlation_id", ""))


def claim(*, phone_number_id: str) -> Turn | None:
    """Take up the number's next turn; None when nothing is due, or as many turns are open as may be."""
    with _queue(phone_number_id), transaction.atomic():
        locks.take(Lock.CLAIM, phone_number_id)
        token = str(uuid.uuid4())
        return _resume(phone_number_id, token) or _begin(phone_number_id, token)


@contextlib.contextmanager
def _queue(phone_number_id: str) -> Iterator[None]:
    """Stand in line in Redis; without it, or after a while, go on to the advisory lock all the same."""
    lock = redis.client().lock(f"lock:phone:{phone_number_id}", timeout=5, sleep=0.01, blocking_timeout=2)
    try:
        is_mine = redis.call(lock.acquire)
    except redis.RedisUnavailableError:
        is_mine = False
    try:
        yield
    finally:
        if is_mine:
            with contextlib.suppress(redis.RedisUnavailableError):
                redis.call(_leave, lock)


def _leave(lock: RedisLock) -> None:
    with contextlib.suppress(LockError):  # it ran out in the meantime
        lock.release()


def _turn(row: dict[str, Any], token: str) -> Turn:
    return Turn(
        turn_id=row["turn_id"],
        lease_token=token,
        state=row["state"],
        phone_number_id=row["phone_number_id"],
        customer_id=row["customer_id"],
        conversation_id=row["conversation_id"],
        snapshot=row["snapshot"],
        attempts=row["attempts"],
        deadline=time.monotonic() + settings.TURN_DEADLINE / 1000,
    )


# --- A turn whose holder died ------------------------------------------------------------------------


def _resume(phone_number_id: str, token: str) -> Turn | None:
    row = sql.row(
        _RESUME,
        {
            "number": phone_number_id,
            "token": token,
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
        },
    )
    if row is None:
        return None
    row["snapshot"] = json.loads(row["snapshot"])  # Django leaves jsonb as text in raw queries
    log.warning("turn.resumed", turn_id=row["turn_id"], state=row["state"], attempts=row["attempts"])
    return _turn(row, token)


# A holder that handed its turn back left no token, and does not count.
_RESUME = """
    UPDATE turns
       SET attempts = attempts + (lease_token IS NOT NULL AND state = 'claimed')::int,
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           deadline_at = statement_timestamp() + make_interval(secs => %(deadline)s)
     WHERE turn_id = (SELECT turn_id
                        FROM turns
                       WHERE phone_number_id = %(number)s AND state IN ('claimed', 'answered')
                         AND lease_expires_at <= statement_timestamp()
                         AND (not_before IS NULL OR not_before <= statement_timestamp())
                       ORDER BY turn_id
                       LIMIT 1)
    RETURNING turn_id, phone_number_id, customer_id, conversation_id, state, attempts, snapshot
"""


def close(*, turn_id: str, error: str = "", inbox: str = "failed") -> None:
    """End a turn: done, or with an error failed together with its messages. The caller holds its lease."""
    sql.execute(
        _CLOSE,
        {
            "turn": turn_id,
            "error": error[:255],
            "state": "failed" if error else "done",
            "inbox": inbox if error else "done",
        },
    )


_CLOSE = """
    WITH closed AS (
        UPDATE turns
           SET state = %(state)s, error = %(error)s, closed_at = statement_timestamp()
         WHERE turn_id = %(turn)s),
    inbox AS (
        UPDATE inbound_messages SET status = %(inbox)s, reason = %(error)s WHERE turn_id = %(turn)s)
    UPDATE messages
       SET status = 'failed', failure_reason = %(error)s, failed_at = statement_timestamp()
     WHERE turn_id = %(turn)s AND author = 'customer' AND %(error)s <> ''
"""


# --- A new turn --------------------------------------------------------------------------------------


def _begin(phone_number_id: str, token: str) -> Turn | None:
    head = sql.row(_HEAD, {"number": phone_number_id, "concurrency": settings.PHONE_NUMBER_CONCURRENCY})
    if head is None:
        return None
    turn_id = ids.new("trn")
    waiting = _take(turn_id, head["customer_id"])
    conversation = sql.row(
        _CONVERSATION,
        {**head, "id": ids.new("cnv"), "count": len(waiting), "said_at": waiting[-1]["received_at"]},
    )
    row = {
        "turn_id": turn_id,
        "phone_number_id": phone_number_id,
        "customer_id": head["customer_id"],
        "state": "claimed",
        "attempts": 0,
        "snapshot": _snapshot(head, waiting),
        **(conversation or {}),
    }
    _store(row, token, waiting)
    if head["others_wait"]:
        ring(Job.DRAIN, phone_number_id=phone_number_id)
    try:
        ledger.charge(user_id=head["user_id"], amount=settings.CREDITS_PER_REPLY, reference=turn_id)
    except ledger.InsufficientCreditsError:
        log.warning("turn.rejected", turn_id=turn_id, user_id=head["user_id"], reason="insufficient_credits")
        close(turn_id=turn_id, error="insufficient_credits", inbox="rejected")
        return None
    return _turn(row, token)


# The due customer with the oldest waiting message and no open turn, and who answers them.
_HEAD = """
    WITH claimable AS NOT MATERIALIZED (
        SELECT message.id, message.customer_id
          FROM inbound_messages AS message
          JOIN customers AS customer USING (customer_id)
         WHERE message.phone_number_id = %(number)s AND message.status = 'pending'
           AND customer.due_at <= statement_timestamp()
           AND (customer.paused_until IS NULL OR customer.paused_until <= statement_timestamp())
           AND NOT EXISTS (SELECT 1 FROM turns
                            WHERE turns.customer_id = message.customer_id
                              AND turns.state IN ('claimed', 'answered'))),
    head AS (
        SELECT * FROM claimable
         WHERE (SELECT count(*) FROM turns
                 WHERE phone_number_id = %(number)s AND state IN ('claimed', 'answered')) < %(concurrency)s
         ORDER BY id
         LIMIT 1)
    SELECT customer.customer_id, number.user_id, agent.agent_id, agent.prompt_id, agent.fallback_message,
           number.type AS channel,
           COALESCE(agent.prompt_version, prompt.current_version) AS prompt_version,
           COALESCE(customer.wa_id, customer.bsuid, customer.ig_id, customer.visitor_id) AS address,
           EXISTS (SELECT 1 FROM claimable WHERE claimable.customer_id <> head.customer_id) AS others_wait
      FROM head
      JOIN customers AS customer USING (customer_id)
      JOIN phone_numbers AS number ON number.phone_number_id = %(number)s AND number.deleted_at IS NULL
      JOIN agents AS agent ON agent.phone_number_id = %(number)s AND agent.deleted_at IS NULL
      LEFT JOIN prompts AS prompt ON prompt.prompt_id = agent.prompt_id AND prompt.user_id = agent.user_id
"""


def _take(turn_id: str, customer_id: str) -> list[dict[str, Any]]:
    """Take the customer's waiting messages, in the order they were written."""
    rows = sql.rows(_TAKE, {"turn": turn_id, "customer": customer_id, "most": MAX_MESSAGES})
    return sorted(rows, key=lambda row: (row["sent_at"], row["id"]))


_TAKE = """
    UPDATE inbound_messages
       SET status = 'processing', turn_id = %(turn)s
     WHERE id IN (SELECT id FROM inbound_messages
                   WHERE customer_id = %(customer)s AND status = 'pending'
                   ORDER BY id
                   LIMIT %(most)s)
    RETURNING id, text, sent_at, received_at, correlation_id
"""

# Found or made; either way its counter moves on by the number of messages taken.
_CONVERSATION = """
    INSERT INTO conversations (conversation_id, agent_id, customer_id, customer_phone, last_sequence_no,
                               is_active, created_at, last_message_at)
    VALUES (%(id)s, %(agent_id)s, %(customer_id)s, %(address)s, %(count)s,
            true, statement_timestamp(), %(said_at)s)
        ON CONFLICT (agent_id, customer_id) WHERE is_active
        DO UPDATE SET customer_phone = EXCLUDED.customer_phone,
                      last_sequence_no = conversations.last_sequence_no + EXCLUDED.last_sequence_no,
                      last_message_at = EXCLUDED.last_message_at
    RETURNING conversation_id, last_sequence_no
"""


def _snapshot(head: dict[str, Any], waiting: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep what the turn was claimed under: a change of agent, prompt or price does not touch it."""
    kept = ("user_id", "agent_id", "prompt_id", "prompt_version", "fallback_message", "channel")
    return {
        **{name: head[name] for name in kept},
        "price": settings.CREDITS_PER_REPLY,
        "correlation_id": waiting[-1]["correlation_id"],
    }


def _store(row: dict[str, Any], token: str, waiting: list[dict[str, Any]]) -> None:
    first = row["last_sequence_no"] - len(waiting) + 1
    messages = [
        {
            "message_id": ids.new("msg"),
            "inbound_id": message["id"],
            "text": message["text"],
            "timestamp": message["sent_at"].isoformat(),
            "sequence_no": number,
        }
        for number, message in enumerate(waiting, start=first)
    ]
    sql.execute(
        _STORE,
        {
            **row,
            "snapshot": Jsonb(row["snapshot"]),
            "messages": Jsonb(messages),
            "token": token,
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
        },
    )


_STORE = """
    WITH turn AS (
        INSERT INTO turns (turn_id, phone_number_id, customer_id, conversation_id, state, lease_token,
                           lease_expires_at, deadline_at, attempts, snapshot, error, created_at)
        VALUES (%(turn_id)s, %(phone_number_id)s, %(customer_id)s, %(conversation_id)s, 'claimed', %(token)s,
                statement_timestamp() + make_interval(secs => %(lease)s),
                statement_timestamp() + make_interval(secs => %(deadline)s),
                0, %(snapshot)s, '', statement_timestamp()))
    INSERT INTO messages (message_id, conversation_id, turn_id, inbound_id, sender, author, text, timestamp,
                          status, sequence_no, failure_reason, tokens_used, openai_response_id)
    SELECT message_id, %(conversation_id)s, %(turn_id)s, inbound_id, 'user', 'customer', text, timestamp,
           'delivered', sequence_no, '', 0, ''
      FROM jsonb_to_recordset(%(messages)s) AS said (
               message_id text, inbound_id bigint, text text, timestamp timestamptz, sequence_no int)
"""
