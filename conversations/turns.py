"""
A turn from claim to end: ask the model, store the reply, send it.

Each step begins from what the turn's row says, so whoever takes a turn over goes on where it stands.
"""

import hashlib

import structlog
from django.db import connection

from agents import directory, llm, prompts
from config.lib.errors import ForeignError
from conversations import attachments, claims, leases, outbox, replies, transcript, typing
from conversations.holding import Turn
from conversations.leases import LeaseLostError
from conversations.models import Conversation, Message

log = structlog.get_logger(__name__)


def drain(*, phone_number_id: str) -> int:
    """Answer turns of a number until none can be claimed, and say how many there were."""
    answered = 0
    if directory.get(phone_number_id) is None:
        log.warning("number.nobody_answers", phone_number_id=phone_number_id)
        return answered
    while (turn := _next(phone_number_id)) is not None:
        with (
            structlog.contextvars.bound_contextvars(correlation_id=turn.correlation_id, turn_id=turn.turn_id),
            leases.held(turn.lease_token),
        ):
            answer(turn)
        answered += 1
    return answered


def _next(phone_number_id: str) -> Turn | None:
    # Whoever stands in line for a busy number must not hold a connection meanwhile.
    connection.close()
    return claims.claim(phone_number_id=phone_number_id)


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
        replies.store_failure(turn, error="its worker died each time")
        return
    try:
        reply = _reply(turn)
    except ForeignError as error:
        log.error("turn.not_answered", reason=str(error), code=error.code, request_id=error.request_id)
        replies.store_failure(turn, error=f"model: {error.code or error}")
    else:
        replies.store_reply(
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
    messages = list(
        Message.objects.filter(turn_id=turn.turn_id, author=Message.Author.CUSTOMER).order_by("sequence_no")
    )
    if messages:
        typing.show(messages[-1], phone_number_id=turn.phone_number_id, customer_id=turn.customer_id)
    attachments.prepare(messages, phone_number_id=turn.phone_number_id, deadline=turn.ask_until)
    missing = transcript.missing(conversation_id=turn.conversation_id, before_turn=turn.turn_id)
    items = [*transcript.items(missing), *transcript.turn_items(messages)]
    arguments = prompts.arguments(
        prompt_id=turn.snapshot["prompt_id"], version=turn.snapshot["prompt_version"]
    )
    # No connection is held while a foreign API is called.
    connection.close()
    reply = llm.respond(
        arguments=arguments,
        conversation_id=openai_conversation_id,
        items=items,
        metadata={"conversation_id": turn.conversation_id, "turn_id": turn.turn_id},
        safety_identifier=hashlib.sha256(turn.customer_id.encode()).hexdigest(),
        deadline=turn.ask_until,
    )
    transcript.mark_known(missing)
    return reply


def _open(turn: Turn, *, replacing: str | None) -> str:
    """Open the conversation's copy at OpenAI, holding what was said before this turn."""
    recent = transcript.recent(conversation_id=turn.conversation_id, before_turn=turn.turn_id)
    connection.close()
    opened = llm.create_conversation(
        items=transcript.items(recent),
        metadata={"conversation_id": turn.conversation_id},
        deadline=turn.ask_until,
    )
    Conversation.objects.filter(pk=turn.conversation_id, openai_conversation_id=replacing).update(
        openai_conversation_id=opened
    )
    transcript.mark_known(recent)
    return opened
