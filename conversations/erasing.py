"""Erases one customer from conversations, turns, messages and deliveries."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from billing import ledger
from config.lib import sql
from conversations import refunds
from conversations.models import Message

BATCH = 1000
_REASON = "customer erased"


@dataclass(frozen=True, slots=True)
class Held:
    """What the tables hold of a customer elsewhere: at the channel, at OpenAI and in the storage."""

    conversation_ids: list[str]
    # The channel's ids of messages, and our ids of deliveries.
    message_ids: list[str]
    openai_conversation_ids: list[str]
    openai_response_ids: list[str]
    files: list[str]
    has_open_turn: bool


def held(customer_id: str) -> Held:
    """Return what is held of a customer."""
    row: dict[str, Any] = sql.row(_HELD_SQL, {"customer": customer_id}) or {}
    return Held(**row)


def end(customer_id: str) -> None:
    """
    End a customer's open turn and conversations, for the caller who has locked the customer.

    The turn's holder finds its lease lost and stores nothing. What was charged for a reply of which nothing
    was sent comes back.
    """
    turn = sql.row(_END_TURN_SQL, [customer_id])
    sql.execute(_END_CONVERSATIONS_SQL, [customer_id])
    if turn is None:
        return
    reply = Message.objects.filter(turn_id=turn["turn_id"], author=Message.Author.AI).first()
    if reply is None:
        ledger.refund(reference=turn["turn_id"], reason=_REASON)
    else:
        refunds.refund_unsent(reply.pk, reason=_REASON)


def delete(customer_id: str) -> dict[str, int]:
    """
    Delete the rows of a customer in batches, each a transaction, children first; return counts by table.

    :raises IntegrityError: if a row was added meanwhile, as by a retry: do it again
    """
    parameters = {"customer": customer_id, "most": BATCH}
    return {table: sql.execute_in_batches(statement, parameters) for table, statement in _DELETE_SQL.items()}


def references(conversation_ids: Collection[str]) -> list[str]:
    """Return the ids of rows that only these conversations have, for logs of staff that name them."""
    found = sql.rows(_REFERENCES_SQL, {"conversations": list(conversation_ids)})
    return [row["id"] for row in found]


_CONVERSATIONS = "SELECT conversation_id FROM conversations WHERE customer_id = %(customer)s"
_MESSAGES = f"SELECT message_id FROM messages WHERE conversation_id IN ({_CONVERSATIONS})"  # noqa: S608
# conversations_by_customer, messages_sequence_once_per_conversation, deliveries_each_part_once_per_attempt
_HELD_SQL = f"""
    SELECT ARRAY({_CONVERSATIONS}) AS conversation_ids,
           ARRAY(SELECT provider_message_id FROM messages
                  WHERE conversation_id IN ({_CONVERSATIONS}) AND provider_message_id <> ''
                  UNION ALL
                 SELECT unnest(ARRAY[delivery_id, provider_message_id]) FROM deliveries
                  WHERE message_id IN ({_MESSAGES})) AS message_ids,
           ARRAY(SELECT openai_conversation_id FROM conversations
                  WHERE customer_id = %(customer)s AND openai_conversation_id <> '')
               AS openai_conversation_ids,
           ARRAY(SELECT openai_response_id FROM messages
                  WHERE conversation_id IN ({_CONVERSATIONS}) AND openai_response_id <> '')
               AS openai_response_ids,
           ARRAY(SELECT DISTINCT media.value ->> 'name'
                   FROM messages, jsonb_array_elements(messages.media) AS media
                  WHERE conversation_id IN ({_CONVERSATIONS})
                    AND COALESCE(media.value ->> 'name', '') <> '') AS files,
           EXISTS (SELECT 1 FROM turns WHERE customer_id = %(customer)s AND closed_at IS NULL)
               AS has_open_turn
"""  # noqa: S608  (our own words)
# turns_one_open_per_customer
_END_TURN_SQL = """
    UPDATE turns
       SET state = 'failed', closed_at = statement_timestamp(), lease_token = NULL, error = 'erased'
     WHERE customer_id = %s AND closed_at IS NULL
    RETURNING turn_id
"""
_END_CONVERSATIONS_SQL = """
    UPDATE conversations
       SET is_active = false, extract_at = NULL, handover_at = NULL, handover_reason = '', customer_phone = ''
     WHERE conversation_id = ANY(ARRAY(SELECT conversation_id FROM conversations WHERE customer_id = %s
                                        ORDER BY conversation_id FOR NO KEY UPDATE))
"""
_DELETE_SQL = {
    "deliveries": f"""
        DELETE FROM deliveries
         WHERE delivery_id = ANY(ARRAY(
               SELECT delivery_id FROM deliveries WHERE message_id IN ({_MESSAGES})
                ORDER BY delivery_id LIMIT %(most)s))
    """,  # noqa: S608
    "messages": f"""
        DELETE FROM messages
         WHERE message_id = ANY(ARRAY({_MESSAGES} ORDER BY message_id LIMIT %(most)s))
    """,  # noqa: S608
    "turns": """
        DELETE FROM turns
         WHERE turn_id = ANY(ARRAY(
               SELECT turn_id FROM turns WHERE customer_id = %(customer)s ORDER BY turn_id LIMIT %(most)s))
    """,
    "conversations": f"""
        DELETE FROM conversations
         WHERE conversation_id = ANY(ARRAY({_CONVERSATIONS} ORDER BY conversation_id LIMIT %(most)s))
    """,  # noqa: S608
}
# What the admin shows pages of, by its id.
_REFERENCES_SQL = """
    SELECT unnest(ARRAY[message_id, turn_id]) AS id FROM messages
     WHERE conversation_id = ANY(%(conversations)s)
     UNION
    SELECT delivery_id FROM deliveries JOIN messages USING (message_id)
     WHERE conversation_id = ANY(%(conversations)s)
     UNION
    SELECT unnest(%(conversations)s::text[])
"""
