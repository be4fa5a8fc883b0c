"""
Store what will be sent before any of it is sent; from then on a turn is `answered`.

Replies of the model are stored for many turns at once. What is rarer has a transaction of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from billing import ledger
from channels_app import senders
from channels_app.senders.contract import NotDeliveredError
from config.lib import ids, sql
from conversations import message_events, takeover
from conversations.answering import append_messages
from conversations.answering.append_messages import Recipient
from conversations.answering.open_turn import OpenTurn, close, held_error, mark_failed
from conversations.answering.store_queries import (
    DISCARD_DRAFT_SQL,
    LOCK_CUSTOMER_SQL,
    LOCK_WAITING_SQL,
    REGISTERED_SQL,
    STORE_SQL,
)
from conversations.leases import LeaseLostError
from conversations.reasons import TAKEN_OVER

# How often the model is asked again in one turn because the customer wrote on.
MAX_DRAFTS = 2
DEFAULT_HANDOVER_MESSAGE = "A colleague will take over from here and answer you as soon as possible."


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a reply stands in OpenAI's copy, and what the copy learned when it was made.

    `known` are ids of our messages that went into the request, `owed` items the copy must get first of all.
    """

    response_id: str = ""
    item_ids: Sequence[str] = ()
    known: Sequence[str] = ()
    owed: Sequence[dict[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that is to be stored; with `row["may_join"]` not if the customer wrote on in the meantime."""

    turn: OpenTurn
    row: dict[str, Any]


def draft(turn: OpenTurn, *, text: str, tokens_used: int = 0, origin: Origin | None = None) -> Draft:
    """Return a reply of the model as it is to be stored, with one delivery for each POST that it takes."""
    may_join = settings.SUPERSEDE_DRAFTS and turn.drafts < MAX_DRAFTS
    row = _row(turn, text=text, tokens_used=tokens_used, origin=origin)
    return Draft(turn, row | {"may_join": may_join})


def store_drafts(drafts: Sequence[Draft]) -> list[bool]:
    """
    Store replies, and one delivery for each POST they take; return which were stored.

    Those turns are `answered` from here on. One that was not is held by another process by now, or the
    customer wrote on: `join` tells which.
    """
    stored = _store([draft.row for draft in drafts])
    if missing := [draft.row["message"] for draft in drafts if draft.turn.turn_id not in stored]:
        # The second look is for a COMMIT that broke after all: nobody else can have stored these ids.
        rows = sql.rows("SELECT turn_id FROM messages WHERE message_id = ANY(%s)", [missing])
        stored |= {row["turn_id"] for row in rows}
    for draft in drafts:
        if draft.turn.turn_id in stored:
            draft.turn.state = "answered"
    return [draft.turn.turn_id in stored for draft in drafts]


def join(draft: Draft) -> bool:
    """
    Take what the customer wrote in the meantime into the turn; the draft will never be said.

    Return whether there was anything: else the draft was stored after all, MAX_DRAFTS being reached or the
    message taken back.

    :raises LeaseLostError: if another process holds the turn; nothing is stored
    """
    if draft.row["may_join"] and _join(draft.turn, draft.row):
        return True
    if not store_drafts([Draft(draft.turn, draft.row | {"may_join": False})])[0]:
        raise LeaseLostError
    return False


def store_notice(turn: OpenTurn, *, text: str, kind: str, error: str) -> None:
    """
    Store a text of the agent's own instead of a reply; the turn will end failed because of the `error`.

    In the caller's transaction, which must undo it if it raises.

    :raises LeaseLostError: if another process holds the turn; nothing is stored
    """
    if not _store([_row(turn, text=text, kind=kind, error=error)]):
        raise LeaseLostError
    turn.state = "answered"


def store_failure(turn: OpenTurn, error: str) -> None:
    """
    Refund the credit and store the agent's fallback message to be sent instead; without one, end the turn.

    :raises LeaseLostError: if another process holds the turn; nothing is stored
    """
    fallback = turn.settings.fallback_message.strip()
    with transaction.atomic():
        if fallback:
            store_notice(turn, text=fallback, kind="fallback", error=error)
            mark_failed(turn_id=turn.turn_id, error=error)
        else:
            held_error(turn)
            close([turn.turn_id], error=error)
        message_events.record_not_answered(
            turn_id=turn.turn_id,
            user_id=turn.settings.user_id,
            conversation_id=turn.conversation_id,
            reason=error[:255],
        )
        ledger.refund(reference=turn.turn_id, reason=error[:255])
    turn.state = "answered" if fallback else "failed"


def store_handover(turn: OpenTurn, text: str, reason: str, tokens_used: int, origin: Origin) -> None:
    """
    Hand the conversation over to a person, as the model asked: pause the AI, flag it, tell the customer.

    Without a text of the model's the customer gets the agent's handover message, which OpenAI's copy lacks.

    :raises LeaseLostError: if another process holds the turn; nothing is stored
    """
    own_text = turn.settings.handover_message.strip() or DEFAULT_HANDOVER_MESSAGE
    reply = _row(turn, text=text or own_text, kind="handover", tokens_used=tokens_used, origin=origin)
    if not text:
        reply |= {"is_in_copy": False, "items": []}
    with transaction.atomic():
        # In the order of all locks: the customer, the turn, then the conversation.
        sql.execute(LOCK_CUSTOMER_SQL, [turn.customer_id])
        held_error(turn)
        takeover.hand_over(
            customer_id=turn.customer_id,
            conversation_id=turn.conversation_id,
            user_id=turn.settings.user_id,
            reason=reason,
        )
        if not _store([reply]):
            raise LeaseLostError
    turn.state = "answered"


def stop(turn: OpenTurn) -> None:
    """
    End a turn before the model is asked, since a person has taken over; it costs nothing.

    :raises LeaseLostError: if another process holds the turn
    """
    with transaction.atomic():
        held_error(turn)
        close([turn.turn_id], error=TAKEN_OVER)
        ledger.refund(reference=turn.turn_id, reason=TAKEN_OVER)
    turn.state = "done"


def _row(
    turn: OpenTurn,
    *,
    text: str,
    kind: str = "text",
    tokens_used: int = 0,
    error: str = "",
    origin: Origin | None = None,
) -> dict[str, Any]:
    origin = origin or Origin()
    channel, disclosure = turn.settings.channel, turn.settings.disclosure.strip()
    disclosed = f"{disclosure}\n\n{text}" if disclosure else ""
    return {
        "turn": turn.turn_id,
        "token": turn.lease_token,
        "customer": turn.customer_id,
        "message": ids.new("msg"),
        "text": text,
        "kind": kind,
        "error": error[:255],
        "tokens": tokens_used,
        "parts": _deliveries(text, channel=channel),
        # What is stored instead if the conversation has had no disclosure: the statement decides.
        "disclosed_text": disclosed,
        "disclosed_parts": _deliveries(disclosed, channel=channel) if disclosed else [],
        "response": origin.response_id,
        "is_from_model": bool(origin.response_id or origin.item_ids),
        "is_in_copy": bool(origin.response_id or origin.item_ids),
        "items": list(origin.item_ids),
        "last_item": origin.item_ids[-1] if origin.item_ids else "",
        "known": list(origin.known),
        "owed": list(origin.owed),
        "may_join": False,
    }


def _deliveries(text: str, *, channel: str) -> list[dict[str, Any]]:
    return [
        {"delivery_id": ids.new("dlv"), "part": n, "text": part}
        for n, part in enumerate(parts(text, channel=channel), start=1)
    ]


def parts(text: str, *, channel: str) -> list[str]:
    """Return what will be posted, in the channel's own formatting; the message itself keeps its author's."""
    try:
        sender = senders.for_channel(channel)
    except NotDeliveredError:
        return [text]  # the delivery will say why it failed
    return sender.parts(sender.formatted(text)) or sender.parts(text)


def _store(rows: list[dict[str, Any]]) -> set[str]:
    """Store replies where the turn is still held, and return the ids of those turns."""
    return {row["turn_id"] for row in sql.rows(STORE_SQL, {"replies": Jsonb(rows)})}


# --- The customer wrote on while the model was thinking ----------------------------------------------


def _join(turn: OpenTurn, row: dict[str, Any]) -> bool:
    """Take what the customer wrote in the meantime into the turn; the draft will never be said."""
    with transaction.atomic():
        sql.execute(LOCK_WAITING_SQL, [turn.customer_id])
        held_error(turn)
        registered = sql.row(REGISTERED_SQL, [turn.customer_id])
        assert registered is not None
        recipient = Recipient(
            customer_id=turn.customer_id,
            phone_number_id=turn.phone_number_id,
            registered_at=registered["created_at"],
            turn_id=turn.turn_id,
            conversation_id=turn.conversation_id,
        )
        if not append_messages.append([recipient]):
            return False
        sql.execute(
            DISCARD_DRAFT_SQL,
            {"turn": turn.turn_id, "known": row["known"], "items": Jsonb(row["items"])},
        )
    turn.drafts += 1
    return True
