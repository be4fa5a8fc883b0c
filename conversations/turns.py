"""
A turn from claim to end: ask the model, store the reply, send it.

Each step begins from what the turn's row says, so whoever takes a turn over goes on where it stands.
"""

import hashlib

import structlog
from django.db import connection

from agents import directory, llm, prompts
from config.lib.errors import ForeignError
from conversations import claims, leases, outbox, transcript
from conversations.claims import Turn
from conversations.leases import LeaseLostError
from conversations.models import Conversation, Message

log = structlog.get_logger(__name__)


def drain(*, phone_number_id: str) -> int:
    """Answer turns of a number until none can be claimed, and say how many there were."""
    answered = 0
    if directory.get(phone_number_id) is None:
        return answered
    while (turn := claims.claim(phone_number_id=phone_number_id)) is not None:
        with (
            structlog.contextvars.bound_contextvars(correlation_id=turn.correlation_id, turn_id=turn.turn_id),
            leases.held(turn.lease_token),
        ):
            answer(turn)
        answered += 1
    return answered


def answer(turn: Turn) -> None:
    """Bring a turn that this process holds to its end, or leave it to whoever holds it by now."""
    try:
        if turn.state == "claimed":
            _ask(turn)
        else:
            outbox.give_up_sending(turn)
        if turn.state == "answered":
            outbox.deliver(turn)
    except LeaseLostError:
        log.warning("turn.lease_lost")
        return
    log.info("turn.ended")


def _ask(turn: Turn) -> None:
    """Have the model answer; when it cannot, store the agent's fallback and the reason instead."""
    if turn.is_poisonous:
        log.error("turn.given_up", attempts=turn.attempts)
        outbox.store_failure(turn, error="its worker died each time")
        return
    try:
        reply = _reply(turn)
    except ForeignError as error:
        log.error("turn.not_answered", reason=str(error), code=error.code, request_id=error.request_id)
        outbox.store_failure(turn, error=f"model: {error.code or error}")
    else:
        outbox.store_reply(
            turn, text=reply.text, response_id=reply.response_id, tokens_used=reply.tokens_used
        )


def _reply(turn: Turn) -> llm.Reply:
    conversation = Conversation.objects.get(pk=turn.conversation_id)
    known = conversation.openai_conversation_id or _open(turn, replacing=None)
    try:
        return _respond(turn, known)
    except llm.ConversationNotFoundError:
        log.warning("turn.openai_conversation_gone", openai_conversation_id=known)
        return _respond(turn, _open(turn, replacing=known))


def _respond(turn: Turn, openai_conversation_id: str) -> llm.Reply:
    texts = list(
        Message.objects.filter(turn_id=turn.turn_id, author=Message.Author.CUSTOMER)
        .order_by("sequence_no")
        .values_list("text", flat=True)
    )
    arguments = prompts.arguments(
        prompt_id=turn.snapshot["prompt_id"], version=turn.snapshot["prompt_version"]
    )
    # No connection is held while a foreign API is called.
    connection.close()
    return llm.respond(
        arguments=arguments,
        conversation_id=openai_conversation_id,
        texts=texts,
        metadata={"conversation_id": turn.conversation_id, "turn_id": turn.turn_id},
        safety_identifier=hashlib.sha256(turn.customer_id.encode()).hexdigest(),
        deadline=turn.ask_until,
    )


def _open(turn: Turn, *, replacing: str | None) -> str:
    """Open the conversation's copy at OpenAI, holding what was said before this turn."""
    items = transcript.recent_items(conversation_id=turn.conversation_id, before_turn=turn.turn_id)
    connection.close()
    opened = llm.create_conversation(
        items=items, metadata={"conversation_id": turn.conversation_id}, deadline=turn.ask_until
    )
    Conversation.objects.filter(pk=turn.conversation_id, openai_conversation_id=replacing).update(
        openai_conversation_id=opened
    )
    return opened
