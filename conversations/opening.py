"""
Opens a new turn: for the due customer of a number with the oldest waiting message and no open turn.

All of their waiting messages become messages of the conversation and one turn, and the credit is taken. Runs
in the claim's transaction, under the number's lock.
"""

import json
from typing import Any

import structlog
from django.conf import settings
from psycopg.types.json import Jsonb

from billing import ledger
from config.lib import ids, sql
from config.lib.jobs import Job, ring
from conversations import pauses
from conversations.holding import Turn, close, held

log = structlog.get_logger(__name__)

# What one turn may take together: an upper bound for what the model is sent at once.
MAX_MESSAGES = 100


def begin(phone_number_id: str, token: str) -> Turn | None:
    """Open the number's next turn; None when nothing is due, or nothing of it may be answered."""
    head = sql.row(
        _HEAD,
        {
            "number": phone_number_id,
            "concurrency": settings.PHONE_NUMBER_CONCURRENCY,
            "window": settings.REPLY_BUDGET_WINDOW / 1000,
        },
    )
    if head is None:
        return None
    if head["others_wait"]:
        ring(Job.DRAIN, phone_number_id=phone_number_id)
    if head["answered"] >= settings.REPLY_BUDGET:
        pauses.pause(customer_id=head["customer_id"], reason="reply_budget")
        return None
    turn_id = ids.new("trn")
    waiting = _take(turn_id, head)
    if not waiting:
        return None
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
    try:
        ledger.charge(user_id=head["user_id"], amount=settings.CREDITS_PER_REPLY, reference=turn_id)
    except ledger.InsufficientCreditsError:
        log.warning("turn.rejected", turn_id=turn_id, user_id=head["user_id"], reason="insufficient_credits")
        close(turn_id=turn_id, error="insufficient_credits", inbox="rejected")
        return None
    return held(row, token)


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
    SELECT customer.customer_id, number.user_id, number.created_at AS registered_at,
           (SELECT count(*) FROM turns
             WHERE turns.customer_id = customer.customer_id AND turns.state = 'done'
               AND turns.created_at > statement_timestamp() - make_interval(secs => %(window)s)) AS answered,
           agent.agent_id, agent.prompt_id, agent.fallback_message,
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


def _take(turn_id: str, head: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the customer's waiting messages, in the order they were written."""
    # Whoever registers a number must not get what was written to its owner before.
    sql.execute(_IGNORE_OLDER, {"customer": head["customer_id"], "registered_at": head["registered_at"]})
    rows = sql.rows(_TAKE, {"turn": turn_id, "customer": head["customer_id"], "most": MAX_MESSAGES})
    return sorted(rows, key=lambda row: (row["sent_at"], row["id"]))


_IGNORE_OLDER = """
    UPDATE inbound_messages SET status = 'ignored', reason = 'written before the number was registered'
     WHERE customer_id = %(customer)s AND status = 'pending' AND received_at < %(registered_at)s
"""

_TAKE = """
    UPDATE inbound_messages
       SET status = 'processing', turn_id = %(turn)s
     WHERE id IN (SELECT id FROM inbound_messages
                   WHERE customer_id = %(customer)s AND status = 'pending'
                   ORDER BY id
                   LIMIT %(most)s)
    RETURNING id, kind, text, media, context, quoted_id, provider_message_id, sent_at, received_at,
              correlation_id
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
            "provider_message_id": message["provider_message_id"],
            "kind": message["kind"],
            "text": message["text"],
            "media": json.loads(message["media"]),
            "context": message["context"],
            "quoted_id": message["quoted_id"],
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
    INSERT INTO messages (message_id, conversation_id, turn_id, inbound_id, sender, author, kind, text, media,
                          context, quoted_id, provider_message_id, timestamp, status, sequence_no, reaction,
                          failure_reason, tokens_used, openai_response_id, openai_knows)
    SELECT message_id, %(conversation_id)s, %(turn_id)s, inbound_id, 'user', 'customer', kind, text, media,
           context, quoted_id, provider_message_id, timestamp, 'delivered', sequence_no, '', '', 0, '', true
      FROM jsonb_to_recordset(%(messages)s) AS said (
               message_id text, inbound_id bigint, kind text, text text, media jsonb, context text,
               quoted_id text, provider_message_id text, timestamp timestamptz, sequence_no int)
        -- A message that is answered again after a failure keeps its place.
        ON CONFLICT (inbound_id) DO UPDATE
       SET turn_id = EXCLUDED.turn_id, status = 'delivered', failure_reason = '', failed_at = NULL,
           openai_knows = true
"""
