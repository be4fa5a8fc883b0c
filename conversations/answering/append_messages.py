"""
Take what customers wrote out of the inbox and append it to their conversations.

As messages of a new turn, of one that is being answered, or, while a person has taken over, of none. One
customer or many: the statements are the same. They run in the transaction of the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from billing import events
from billing.events import EventType
from channels_app.ignored import IgnoredReason
from config.lib import ids, sql
from conversations import message_events
from conversations.answering.open_turn import AnswerSettings
from conversations.reasons import WRITTEN_TO_A_PERSON

log = structlog.get_logger(__name__)

# What one turn may take together: an upper bound for what the model is sent at once.
MAX_MESSAGES = 100


@dataclass(slots=True)
class Recipient:
    """
    Where a customer's waiting messages go.

    To `conversation_id` if it is given, else to the customer's active conversation with the agent, which is
    created if there is none. Without a `turn_id` they are not answered. With `settings` the turn is opened
    here, and leased under `token`; `settings` get the correlation id of the newest message.
    """

    customer_id: str
    phone_number_id: str
    registered_at: datetime
    turn_id: str | None = None
    conversation_id: str = ""
    user_id: str = ""
    agent_id: str = ""
    address: str = ""
    token: str | None = None
    settings: AnswerSettings | None = None


def append(recipients: Sequence[Recipient]) -> dict[str, str]:
    """
    Append the waiting messages of each customer, in the order they were written.

    Return the conversation by customer id; customers of whom nothing was taken are left out.
    """
    taken = _take(recipients)
    rows = [_row(recipient, taken[recipient.customer_id]) for recipient in recipients
            if recipient.customer_id in taken]  # fmt: skip
    if not rows:
        return {}
    statement = _APPEND_TO_KNOWN_SQL if recipients[0].conversation_id else _APPEND_SQL
    appended = sql.rows(
        statement,
        {
            "rows": Jsonb(rows),
            "messages": Jsonb([message for row in taken.values() for message in row.messages]),
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
            "quiet": settings.EXTRACTION_INTERVAL,
        },
    )
    received = [message_id for row in appended for message_id in row["received"] or ()]
    message_events.record(*((message_id, EventType.MESSAGE_RECEIVED) for message_id in received))
    found = {row["customer_id"]: str(row["conversation_id"]) for row in appended}
    lines = [
        (recipient, taken[recipient.customer_id], found[recipient.customer_id])
        for recipient in recipients
        if recipient.customer_id in found
    ]
    transaction.on_commit(partial(_log_appended, lines), robust=True)
    return found


@dataclass(slots=True)
class _Taken:
    """The messages of one customer, in the order they were written."""

    messages: list[dict[str, Any]]
    correlation_ids: list[str]
    waited_ms: int
    newest_at: datetime


def _take(recipients: Sequence[Recipient]) -> dict[str, _Taken]:
    rows = sql.rows(
        _TAKE_SQL,
        {
            "customers": [recipient.customer_id for recipient in recipients],
            "turns": [recipient.turn_id for recipient in recipients],
            "registered": [recipient.registered_at for recipient in recipients],
            "most": MAX_MESSAGES,
            "before_registration": IgnoredReason.BEFORE_REGISTRATION,
            "taken_over": WRITTEN_TO_A_PERSON,
        },
    )
    waiting = sorted((row for row in rows if row["is_taken"]), key=itemgetter("customer_id", "sent_at", "id"))
    return {
        customer_id: _taken(list(own)) for customer_id, own in groupby(waiting, itemgetter("customer_id"))
    }


def _taken(rows: list[dict[str, Any]]) -> _Taken:
    return _Taken(
        messages=[_message(row, n) for n, row in enumerate(rows, start=1)],
        correlation_ids=list(dict.fromkeys(row["correlation_id"] for row in rows)),
        waited_ms=round(1000 * max(row["waited"] for row in rows).total_seconds()),
        newest_at=rows[-1]["received_at"],
    )


def _message(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "customer_id": row["customer_id"],
        "message_id": ids.new("msg"),
        "inbound_id": row["id"],
        "provider_message_id": row["provider_message_id"],
        "kind": row["kind"],
        "text": row["text"],
        "media": sql.from_jsonb(row["media"]),
        "context": row["context"],
        "quoted_id": row["quoted_id"],
        "timestamp": row["sent_at"].isoformat(),
        "number": number,
    }


def _row(recipient: Recipient, taken: _Taken) -> dict[str, Any]:
    if recipient.settings is not None:
        recipient.settings = replace(recipient.settings, correlation_id=taken.correlation_ids[-1])
    return {
        "customer_id": recipient.customer_id,
        "phone_number_id": recipient.phone_number_id,
        "turn_id": recipient.turn_id,
        "conversation_id": recipient.conversation_id or ids.new("cnv"),
        "user_id": recipient.user_id,
        "agent_id": recipient.agent_id,
        "address": recipient.address,
        "token": recipient.token,
        "snapshot": recipient.settings and recipient.settings.as_json(),
        "count": len(taken.messages),
        "newest_at": taken.newest_at.isoformat(),
    }


def _log_appended(lines: list[tuple[Recipient, _Taken, str]]) -> None:
    """
    Log that messages left the inbox, under the correlation id of the newest.

    The ids of the other webhooks are in the line as well: it is found by each of them.
    """
    for recipient, taken, conversation_id in lines:
        correlation_ids = taken.correlation_ids
        event = "turn.joined" if recipient.turn_id else "message.not_answered"
        log.info(
            "turn.claimed" if recipient.settings else event,
            correlation_id=correlation_ids[-1],
            **({"correlation_ids": correlation_ids} if len(correlation_ids) > 1 else {}),
            **({"turn_id": recipient.turn_id} if recipient.turn_id else {"reason": WRITTEN_TO_A_PERSON}),
            messages=len(taken.messages),
            waited_ms=taken.waited_ms,
            conversation_id=conversation_id,
            customer_id=recipient.customer_id,
        )


# The owner of a number must not get what was written before they registered it.
_TAKE_SQL = """
    WITH waiting AS MATERIALIZED (
        SELECT message.id, recipient.turn_id, recipient.registered_at
          FROM unnest(%(customers)s::varchar[], %(turns)s::varchar[], %(registered)s::timestamptz[])
                   AS recipient (customer_id, turn_id, registered_at)
         CROSS JOIN LATERAL (
               SELECT id FROM inbound_messages
                -- BETWEEN: see HEADS_SQL.
                WHERE inbound_messages.customer_id BETWEEN recipient.customer_id AND recipient.customer_id
                  AND status = 'pending'
                ORDER BY inbound_messages.customer_id, id
                LIMIT %(most)s) AS message)
    UPDATE inbound_messages
       SET status = CASE WHEN received_at < waiting.registered_at THEN 'ignored'
                         WHEN waiting.turn_id IS NULL THEN 'done'
                         ELSE 'processing' END,
           reason = CASE WHEN received_at < waiting.registered_at THEN %(before_registration)s
                         WHEN waiting.turn_id IS NULL THEN %(taken_over)s
                         ELSE '' END,
           turn_id = CASE WHEN received_at >= waiting.registered_at THEN waiting.turn_id END
      FROM waiting
     WHERE inbound_messages.id = ANY(ARRAY(SELECT id FROM waiting))
       AND inbound_messages.id = waiting.id AND inbound_messages.status = 'pending'
    RETURNING inbound_messages.id, customer_id, status <> 'ignored' AS is_taken, kind, text, media, context,
              quoted_id, provider_message_id, sent_at, received_at, correlation_id,
              statement_timestamp() - received_at AS waited
"""

_RECIPIENTS = """
    recipient AS MATERIALIZED (
        SELECT *
          FROM jsonb_to_recordset(%(rows)s) AS recipient (
                   customer_id varchar, phone_number_id varchar, turn_id varchar, conversation_id varchar,
                   user_id varchar, agent_id varchar, address varchar, token uuid, snapshot jsonb, count int,
                   newest_at timestamptz))
"""
# Found or created; either way its counter moves on by the number of messages taken. `extract_at`, when the
# conversation is checked for having gone quiet, is left as it is by all messages after the first.
_ACTIVE_CONVERSATION = """
    INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                               last_sequence_no, is_active, created_at, last_message_at, extract_at)
    SELECT conversation_id, user_id, agent_id, customer_id, address, count, true, statement_timestamp(),
           newest_at,
           statement_timestamp() + make_interval(secs => 0.001 * COALESCE(
               (SELECT extraction_interval FROM agents WHERE agents.agent_id = recipient.agent_id),
               %(quiet)s))
      FROM recipient
     ORDER BY customer_id
        ON CONFLICT (agent_id, customer_id) WHERE is_active
        DO UPDATE SET customer_phone = EXCLUDED.customer_phone,
                      last_sequence_no = conversations.last_sequence_no + EXCLUDED.last_sequence_no,
                      last_message_at = EXCLUDED.last_message_at,
                      extract_at = COALESCE(conversations.extract_at, EXCLUDED.extract_at)
    RETURNING conversation_id, user_id, customer_id, last_sequence_no
"""
_KNOWN_CONVERSATION = """
    UPDATE conversations
       SET last_sequence_no = last_sequence_no + count, last_message_at = newest_at,
           extract_at = COALESCE(extract_at, statement_timestamp() + make_interval(secs => 0.001 * %(quiet)s))
      FROM recipient
     WHERE conversations.conversation_id = recipient.conversation_id
    RETURNING conversations.conversation_id, conversations.user_id, recipient.customer_id, last_sequence_no
"""
_INTO = """
    WITH {recipients},
    conversation AS ({conversation}),
    turn AS (
        INSERT INTO turns (turn_id, phone_number_id, customer_id, conversation_id, state, lease_token,
                           lease_expires_at, deadline_at, attempts, drafts, snapshot, error, created_at)
        SELECT recipient.turn_id, recipient.phone_number_id, recipient.customer_id,
               conversation.conversation_id, 'claimed', recipient.token,
               statement_timestamp() + make_interval(secs => %(lease)s),
               statement_timestamp() + make_interval(secs => %(deadline)s),
               0, 0, recipient.snapshot, '', statement_timestamp()
          FROM recipient JOIN conversation USING (customer_id)
         WHERE recipient.snapshot IS NOT NULL),
    message AS (
        INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, turn_id, inbound_id,
                              sender, author, kind, text, media, context, quoted_id, provider_message_id,
                              timestamp, status, sequence_no, reaction, failure_reason, tokens_used,
                              openai_response_id, openai_knows)
        SELECT written.message_id, conversation.user_id, conversation.conversation_id,
               recipient.phone_number_id, recipient.turn_id, written.inbound_id, 'user', 'customer',
               written.kind, written.text, written.media, written.context, written.quoted_id,
               written.provider_message_id, written.timestamp, 'delivered',
               conversation.last_sequence_no - recipient.count + written.number, '', '', 0, '', false
          FROM jsonb_to_recordset(%(messages)s) AS written (
                   customer_id varchar, message_id varchar, inbound_id bigint, kind text, text text,
                   media jsonb, context text, quoted_id text, provider_message_id text,
                   timestamp timestamptz, number int)
          JOIN recipient USING (customer_id)
          JOIN conversation USING (customer_id)
            -- A message that is answered again after a failure keeps its place.
            ON CONFLICT (inbound_id) DO UPDATE
           SET turn_id = EXCLUDED.turn_id, status = 'delivered', failure_reason = '', failed_at = NULL,
               -- The copy of another conversation does not have it.
               openai_knows = messages.openai_knows AND messages.conversation_id = EXCLUDED.conversation_id
        RETURNING message_id)
    SELECT customer_id, conversation_id,
           -- One that is answered again was received before, under the id that it has kept.
           CASE WHEN {wanted}
                THEN ARRAY(SELECT message_id
                             FROM message
                             JOIN jsonb_to_recordset(%(messages)s) AS written (
                                      customer_id varchar, message_id varchar, number int)
                                  USING (message_id)
                            WHERE written.customer_id = conversation.customer_id
                            ORDER BY written.number) END AS received
      FROM conversation
"""
_WANTED = events.wanted(user="conversation.user_id", type=EventType.MESSAGE_RECEIVED)
_APPEND_SQL = _INTO.format(recipients=_RECIPIENTS, conversation=_ACTIVE_CONVERSATION, wanted=_WANTED)
_APPEND_TO_KNOWN_SQL = _INTO.format(recipients=_RECIPIENTS, conversation=_KNOWN_CONVERSATION, wanted=_WANTED)
