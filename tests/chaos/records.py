"""Collects a history from the tables and the simulator's journal."""

import json
from typing import Any

from tests.chaos.happened import (
    Accepted,
    Ask,
    Delivery,
    History,
    Inbound,
    Line,
    Post,
    Reply,
    Turn,
)
from tests.rig import Business, Rig

_INBOX = """
    SELECT inbox.id, inbox.phone_number_id AS number, COALESCE(customers.wa_id, '') AS customer,
           inbox.provider_message_id AS provider_id, inbox.status, inbox.turn_id, messages.sequence_no
      FROM inbound_messages AS inbox
      LEFT JOIN customers USING (customer_id)
      LEFT JOIN messages ON messages.inbound_id = inbox.id
     WHERE inbox.phone_number_id = ANY(%s) ORDER BY inbox.id
"""
_TURNS = """
    SELECT turn_id, turns.phone_number_id AS number, customers.wa_id AS customer, state, error,
           extract(epoch FROM turns.created_at)::float AS created_at,
           extract(epoch FROM turns.closed_at)::float AS closed_at
      FROM turns JOIN customers USING (customer_id)
     WHERE turns.phone_number_id = ANY(%s) ORDER BY turns.created_at
"""
_REPLIES = """
    SELECT message_id, turn_id, text FROM messages JOIN turns USING (turn_id)
     WHERE turns.phone_number_id = ANY(%s) AND author = 'ai' ORDER BY message_id
"""
_DELIVERIES = """
    SELECT delivery_id, message_id, state, attempt, part FROM deliveries
     WHERE phone_number_id = ANY(%s) ORDER BY delivery_id
"""
_LINES = """
    SELECT id, user_id AS "user", kind, amount, reference, balance_after FROM credit_entries
     WHERE user_id = ANY(%s) ORDER BY id
"""
_TALKS = """
    SELECT conversation_id, openai_conversation_id, phone_number_id AS number, customers.wa_id AS customer
      FROM conversations JOIN customers USING (customer_id) WHERE phone_number_id = ANY(%s)
"""


def collect(rig: Rig, businesses: list[Business], accepted: list[Accepted]) -> History:
    """Collect what happened on the numbers of these businesses."""
    numbers = [business.phone_number_id for business in businesses]
    users = [business.user_id for business in businesses]
    balances = rig.rows("SELECT user_id, remaining_credits FROM credits WHERE user_id = ANY(%s)", users)
    turns = [Turn(**row) for row in rig.rows(_TURNS, numbers)]
    return History(
        owners=dict(zip(numbers, users, strict=True)),
        balances={row["user_id"]: row["remaining_credits"] for row in balances},
        accepted=accepted,
        inbox=[Inbound(**row) for row in rig.rows(_INBOX, numbers)],
        turns=turns,
        replies=[Reply(**row) for row in rig.rows(_REPLIES, numbers)],
        deliveries=[Delivery(**row) for row in rig.rows(_DELIVERIES, numbers)],
        posts=_posts(rig, set(numbers)),
        asks=_asks(rig, turns, rig.rows(_TALKS, numbers)),
        lines=[Line(**row) for row in rig.rows(_LINES, users)],
    )


def _posts(rig: Rig, numbers: set[str]) -> list[Post]:
    """Give the texts that WhatsApp numbers posted, without read marks and typing."""
    found = []
    for request in rig.simulator.requests(api="graph", path="/messages"):
        number, body = request["path"].split("/")[-2], request["body"] or {}
        if number in numbers and "text" in body:
            found.append(
                Post(
                    seq=request["seq"],
                    number=number,
                    to=body["to"].lstrip("+"),
                    text=body["text"]["body"],
                    delivery_id=body.get("biz_opaque_callback_data") or "",
                    status=request["status"],
                )
            )
    return found


def _asks(rig: Rig, turns: list[Turn], talks: list[dict[str, Any]]) -> list[Ask]:
    """Give what OpenAI was told for customers: calls of the model, and what was put into its memory."""
    by_turn = {turn.turn_id: turn for turn in turns}
    by_talk = {talk["conversation_id"]: talk for talk in talks}
    by_copy = {talk["openai_conversation_id"]: talk for talk in talks}
    found: list[Ask] = []
    for request in rig.simulator.requests(api="openai", path="/v1/"):
        body = request["body"] if isinstance(request["body"], dict) else {}
        metadata = body.get("metadata") or {}
        turn = by_turn.get(metadata.get("turn_id", ""))
        talk: Any = by_talk.get(metadata.get("conversation_id", "")) or by_copy.get(
            _conversation_in(request["path"])
        )
        if request["method"] != "POST" or not (turn or talk):
            continue
        is_answer = request["path"] == "/v1/responses"
        place = (turn.number, turn.customer) if turn else (talk["number"], talk["customer"])
        found.append(
            Ask(
                seq=request["seq"],
                number=place[0],
                customer=place[1],
                turn_id=turn.turn_id if turn else "",
                conversation=str(body.get("conversation") or _conversation_in(request["path"])),
                text=json.dumps(body.get("input") or body.get("items") or ""),
                is_paid=is_answer and request["status"] == 200,
            )
        )
    return found


def _conversation_in(path: str) -> str:
    """Give the id in a path such as /v1/conversations/conv_1/items."""
    parts = path.split("/")
    return parts[3] if len(parts) > 3 and parts[2] == "conversations" else ""
