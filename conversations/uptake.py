"""
Takes what a customer wrote out of the inbox and into the conversation.

As the messages of a new turn, of one that is being answered, or, while a person has taken over, of none. Runs
in the transaction of whoever claims.
"""

from typing import Any

from django.conf import settings
from psycopg.types.json import Jsonb

from billing import events
from config.lib import ids, sql

# What one turn may take together: an upper bound for what the model is sent at once.
MAX_MESSAGES = 100


def store(
    head: dict[str, Any],
    *,
    turn_id: str | None,
    token: str | None = None,
    turn: dict[str, Any] | None = None,
    conversation_id: str | None = None,
) -> str | None:
    """
    Take a customer's waiting messages, in the order they were written, and say into which conversation.

    None if there is nothing to take.

    They go to the customer's active conversation with the agent, made if need be, or to the one given.
    With a `turn` its row is made too, held by `token`.
    """
    taken = sql.rows(
        _TAKE,
        {
            "turn": turn_id,
            "customer": head["customer_id"],
            "most": MAX_MESSAGES,
            "registered_at": head["registered_at"],
        },
    )
    waiting = sorted((row for row in taken if row["is_taken"]), key=lambda row: (row["sent_at"], row["id"]))
    if not waiting:
        return None
    snapshot = turn and {**turn["snapshot"], "correlation_id": waiting[-1]["correlation_id"]}
    if turn is not None:
        turn["snapshot"] = snapshot
    row = sql.row(
        _STORE_IN_KNOWN if conversation_id else _STORE,
        {
            **head,
            "conversation": conversation_id or ids.new("cnv"),
            "count": len(waiting),
            "said_at": waiting[-1]["received_at"],
            "messages": Jsonb([_message(row, n) for n, row in enumerate(waiting, start=1)]),
            "turn": turn_id,
            "is_new_turn": turn is not None,
            "number": turn["phone_number_id"] if turn else None,
            "token": token,
            "snapshot": Jsonb(snapshot),
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
            "quiet": settings.EXTRACTION_INTERVAL,
        },
    )
    assert row is not None
    return str(row["conversation_id"])


def _message(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "message_id": ids.new("msg"),
        "event_id": ids.new("evt"),
        "inbound_id": row["id"],
        "provider_message_id": row["provider_message_id"],
        "kind": row["kind"],
        "text": row["text"],
        "media": sql.loaded(row["media"]),
        "context": row["context"],
        "quoted_id": row["quoted_id"],
        "timestamp": row["sent_at"].isoformat(),
        "number": number,
    }


# Whoever registers a number must not get what was written to its owner before.
_TAKE = """
    UPDATE inbound_messages
       SET status = CASE WHEN received_at < %(registered_at)s THEN 'ignored'
                         WHEN %(turn)s::text IS NULL THEN 'done'
                         ELSE 'processing' END,
           reason = CASE WHEN received_at < %(registered_at)s THEN 'written before the number was registered'
                         WHEN %(turn)s::text IS NULL THEN 'a person had taken over'
                         ELSE '' END,
           turn_id = CASE WHEN received_at >= %(registered_at)s THEN %(turn)s END
     WHERE id IN (SELECT id FROM inbound_messages
                   WHERE customer_id = %(customer)s AND status = 'pending'
                   ORDER BY id
                   LIMIT %(most)s)
    RETURNING id, status <> 'ignored' AS is_taken, kind, text, media, context, quoted_id, provider_message_id,
              sent_at, received_at, correlation_id
"""

# Found or made; either way its counter moves on by the number of messages taken. `extract_at`, when somebody
# looks whether the talk has gone quiet, is left as it is by all messages after the first.
_ACTIVE_CONVERSATION = """
    INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                               last_sequence_no, is_active, created_at, last_message_at, extract_at)
    VALUES (%(conversation)s, %(user_id)s, %(agent_id)s, %(customer_id)s, %(address)s,
            %(count)s, true, statement_timestamp(), %(said_at)s,
            statement_timestamp() + make_interval(secs => 0.001 * COALESCE(
                (SELECT extraction_interval FROM agents WHERE agents.agent_id = %(agent_id)s::varchar),
                %(quiet)s)))
        ON CONFLICT (agent_id, customer_id) WHERE is_active
        DO UPDATE SET customer_phone = EXCLUDED.customer_phone,
                      last_sequence_no = conversations.last_sequence_no + EXCLUDED.last_sequence_no,
                      last_message_at = EXCLUDED.last_message_at,
                      extract_at = COALESCE(conversations.extract_at, EXCLUDED.extract_at)
    RETURNING conversation_id, user_id, last_sequence_no, customer_phone
"""
_KNOWN_CONVERSATION = """
    UPDATE conversations
       SET last_sequence_no = last_sequence_no + %(count)s, last_message_at = %(said_at)s,
           extract_at = COALESCE(extract_at, statement_timestamp() + make_interval(secs => 0.001 * %(quiet)s))
     WHERE conversation_id = %(conversation)s
    RETURNING conversation_id, user_id, last_sequence_no, customer_phone
"""
_INTO = """
    WITH conversation AS ({conversation}),
    turn AS (
        INSERT INTO turns (turn_id, phone_number_id, customer_id, conversation_id, state, lease_token,
                           lease_expires_at, deadline_at, attempts, drafts, snapshot, error, created_at)
        SELECT %(turn)s, %(number)s, %(customer_id)s, conversation_id, 'claimed', %(token)s,
               statement_timestamp() + make_interval(secs => %(lease)s),
               statement_timestamp() + make_interval(secs => %(deadline)s),
               0, 0, %(snapshot)s, '', statement_timestamp()
          FROM conversation WHERE %(is_new_turn)s),
    message AS (
        INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, turn_id, inbound_id,
                              sender, author, kind, text, media, context, quoted_id, provider_message_id,
                              timestamp, status, sequence_no, reaction, failure_reason, tokens_used,
                              openai_response_id, openai_knows)
        SELECT message_id, user_id, conversation_id,
               (SELECT phone_number_id FROM customers WHERE customer_id = %(customer_id)s),
               %(turn)s, inbound_id, 'user', 'customer', kind, text, media, context, quoted_id,
               provider_message_id, timestamp, 'delivered',
               last_sequence_no - %(count)s + number, '', '', 0, '', false
          FROM conversation, jsonb_to_recordset(%(messages)s) AS said (
                   message_id text, inbound_id bigint, kind text, text text, media jsonb, context text,
                   quoted_id text, provider_message_id text, timestamp timestamptz, number int)
            -- A message that is answered again after a failure keeps its place.
            ON CONFLICT (inbound_id) DO UPDATE
           SET turn_id = EXCLUDED.turn_id, status = 'delivered', failure_reason = '', failed_at = NULL
        RETURNING message_id, user_id, conversation_id, phone_number_id, kind, text, timestamp),
    event AS (
        INSERT INTO events (event_id, user_id, type, conversation_id, data)
        SELECT said.event_id, user_id, 'message.received', conversation_id,
               jsonb_build_object('message_id', message_id, 'phone_number_id', phone_number_id,
                                  'channel', (SELECT type FROM phone_numbers AS number
                                               WHERE number.phone_number_id = message.phone_number_id),
                                  'customer_phone', customer_phone, 'kind', kind, 'text', text,
                                  'timestamp', timestamp)
          FROM message
          JOIN conversation USING (conversation_id, user_id)
          JOIN jsonb_to_recordset(%(messages)s) AS said (message_id text, event_id text, number int)
               USING (message_id)
         WHERE {wanted}
         ORDER BY said.number)
    SELECT conversation_id FROM conversation
"""
_WANTED = events.wanted(user="message.user_id", type=events.EventType.MESSAGE_RECEIVED)
_STORE = _INTO.format(conversation=_ACTIVE_CONVERSATION, wanted=_WANTED)
_STORE_IN_KNOWN = _INTO.format(conversation=_KNOWN_CONVERSATION, wanted=_WANTED)
