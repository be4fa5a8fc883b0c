"""
The tools a model may call: so far one, which hands the conversation over to a person.

Each call stands in OpenAI's conversation and needs an output there, or every later request is refused. The
output is owed to the copy and goes first into the next request, so no crash can leave a call without one.
"""

import json
from collections.abc import Sequence
from typing import Any

from psycopg.types.json import Jsonb

from agents.llm import ToolCall
from config.lib import sql
from config.lib.errors import RejectedError
from conversations.answering.open_turn import AnswerSettings, OpenTurn
from conversations.answering.store import MAX_DRAFTS, Origin
from conversations.leases import LeaseLostError

# https://platform.openai.com/docs/guides/function-calling
HAND_OVER: dict[str, Any] = {
    "type": "function",
    "name": "hand_over",
    "description": "Hand this conversation over to a person. Call it when the customer asks for a person, "
    "or when only a person can help.",
    "parameters": {
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "For the person: what it is about."}},
        "required": ["reason"],
        "additionalProperties": False,
    },
    "strict": True,
}


def offered(settings: AnswerSettings) -> list[dict[str, Any]]:
    """Return the tools that a turn offers the model."""
    return [HAND_OVER] if settings.handover_enabled else []


def handover_reason(calls: Sequence[ToolCall]) -> str | None:
    """Return the reason the model hands over for; None if it does not."""
    for call in calls:
        if call.name == HAND_OVER["name"]:
            try:
                arguments = json.loads(call.arguments or "{}")
            except (ValueError, RecursionError):
                arguments = {}
            return str(arguments.get("reason", "")) if isinstance(arguments, dict) else ""
    return None


def output(call: ToolCall) -> dict[str, str]:
    """Return the item that answers a call."""
    is_known = call.name == HAND_OVER["name"]
    said = "A person has been told and takes over." if is_known else "There is no such tool. Answer in words."
    return {"type": "function_call_output", "call_id": call.call_id, "output": said}


def store_owed_outputs(turn: OpenTurn, origin: Origin) -> None:
    """
    Store that the model called tools without saying anything: it is asked again with their outputs.

    :raises RejectedError: if it does so again and again
    :raises LeaseLostError: if another process holds the turn
    """
    facts = {
        "turn": turn.turn_id,
        "token": turn.lease_token,
        "known": list(origin.known),
        "owed": Jsonb(list(origin.owed)),
        "last_item": origin.item_ids[-1] if origin.item_ids else "",
    }
    if not sql.execute(_OWE_SQL, facts):
        raise LeaseLostError
    turn.drafts += 1
    if turn.drafts > MAX_DRAFTS:
        raise RejectedError("the model calls tools again and again", code="tool_loop")


_OWE_SQL = """
    WITH turn AS (
        UPDATE turns SET drafts = drafts + 1
         WHERE turn_id = %(turn)s AND lease_token = %(token)s AND state = 'claimed'
        RETURNING conversation_id),
    locked AS (
        SELECT message_id FROM messages
         WHERE message_id = ANY(%(known)s) AND EXISTS (SELECT 1 FROM turn)
         ORDER BY message_id FOR NO KEY UPDATE),
    known AS (
        UPDATE messages SET openai_knows = true, reaction_known = true FROM locked
         WHERE messages.message_id = locked.message_id)
    UPDATE conversations SET openai_owed = %(owed)s, openai_last_item_id = %(last_item)s
      FROM turn
     WHERE conversations.conversation_id = turn.conversation_id
"""
