"""
A turn from claim to end: ask the model, store the reply, send it.

Each step begins from what the turn's row says, so whoever takes a turn over goes on where it stands.
"""

import hashlib

import structlog
from django.db import OperationalError, connection
from django.utils import timezone

from agents import directory, llm, prompts
from channels_app.models import PhoneNumber
from channels_app.webchat import bell
from config.lib import failpoints, sql, stopping
from config.lib.errors import ForeignError, UnavailableError
from config.lib.jobs import Job, ring
from conversations import attachments, calls, claims, leases, outbox, replies, transcript, typing
from conversations.holding import Turn
from conversations.leases import LeaseLostError

log = structlog.get_logger(__name__)

# How long OpenAI may make a turn wait, by Retry-After or by not answering at all.
PATIENCE = 15 * 60.0


def drain(*, phone_number_id: str, quarantined: bool = False) -> int:
    """Answer turns of a number until none can be claimed, and say how many there were."""
    answered = 0
    with leases.working():
        while not stopping.is_stopping.is_set():
            # Whoever stands in line for a busy number must not hold a connection meanwhile.
            connection.close()
            turn = claims.claim(phone_number_id=phone_number_id, quarantined=quarantined)
            if turn is None:
                if not answered and directory.get(phone_number_id) is None:
                    log.warning("number.nobody_answers", phone_number_id=phone_number_id)
                break
            with structlog.contextvars.bound_contextvars(
                correlation_id=turn.correlation_id, turn_id=turn.turn_id
            ):
                answer(turn)
            answered += 1
            failpoints.reach("P15", about=phone_number_id)
            # Looked for after the turn ended: what came before found it open, what comes later rings.
            if not claims.anything_waits(phone_number_id=phone_number_id):
                break
    return answered


def answer(turn: Turn) -> None:
    """Bring a turn that this process holds to its end, or leave it to whoever holds it by now."""
    try:
        with leases.held(turn.lease_token):
            if turn.state == "claimed":
                _ask(turn)
            else:
                outbox.give_up_sending(turn)
            if turn.state == "answered":
                failpoints.reach("P9", about=turn.phone_number_id)
                outbox.deliver(turn)
    except LeaseLostError:
        log.warning("turn.lease_lost")
    except OperationalError as error:
        # Postgres was away for too long: the lease runs out, and the next holder goes on.
        log.warning("turn.postgres_away", reason=type(error).__name__)
    else:
        log.info("turn.ended", state=turn.state)
    if turn.snapshot["channel"] == PhoneNumber.Type.WEBCHAT:
        bell.ring(turn.customer_id)


def _ask(turn: Turn) -> None:
    """Have the model answer; when it cannot, store the agent's fallback and the reason instead."""
    if turn.is_poisonous:
        log.error("turn.given_up", attempts=turn.attempts)
        _fail(turn, "its worker died each time")
        return
    failpoints.reach("P7", about=turn.phone_number_id)
    try:
        while not _answered(turn):
            pass
    except UnavailableError as error:
        if not _defer(turn, error):
            _fail(turn, f"model: {error.code or error}", error)
    except ForeignError as error:
        _fail(turn, f"model: {error.code or error}", error)


def _fail(turn: Turn, reason: str, error: ForeignError | None = None) -> None:
    if error is not None:
        log.error("turn.not_answered", reason=str(error), code=error.code, request_id=error.request_id)
    if isinstance(error, UnavailableError) and not isinstance(error, llm.BreakerOpenError):
        # An answer may still come: into a copy that nobody looks at any more.
        transcript.forget(turn.conversation_id)
    sql.insist(lambda: replies.store_failure(turn, error=reason), until=turn.deadline)


def _defer(turn: Turn, error: UnavailableError) -> bool:
    """Hand the turn back until OpenAI may be asked again, if that is long and not too late."""
    seconds = error.retry_after or 0
    if seconds <= llm.LONGEST_PAUSE and not isinstance(error, llm.BreakerOpenError):
        return False
    token = turn.lease_token
    if not leases.defer(turn_id=turn.turn_id, token=token, seconds=seconds, until_age=PATIENCE):
        return False
    log.warning("turn.deferred", seconds=round(seconds, 1), code=error.code)
    turn.state = "deferred"
    ring(Job.DRAIN, delay=min(seconds, PATIENCE), phone_number_id=turn.phone_number_id)
    return True


def _answered(turn: Turn) -> bool:
    """Ask once more; False when there is reason to ask again: the customer wrote on, or a tool was called."""
    copy = sql.insist(lambda: transcript.read(turn), until=turn.deadline)
    if copy.is_paused:
        replies.stop(turn)
        return True
    typing.show(copy.messages, phone_number_id=turn.phone_number_id, customer_id=turn.customer_id)
    attachments.prepare(copy.messages, phone_number_id=turn.phone_number_id, deadline=turn.ask_until)
    reply = _reply(turn, copy)
    turn.is_resumed = False
    failpoints.reach("P8", about=turn.phone_number_id)
    owed = [calls.output(call) for call in reply.calls]
    origin = replies.Origin(reply.response_id, reply.item_ids, copy.lacking_ids, owed)
    if (reason := calls.handover_reason(reply.calls)) is not None and turn.snapshot.get("handover_enabled"):
        replies.store_handover(
            turn, text=reply.text, reason=reason, tokens_used=reply.tokens_used, origin=origin
        )
        return True
    if not reply.text:
        calls.owe(turn, origin)
        return False
    return replies.store_reply(turn, text=reply.text, tokens_used=reply.tokens_used, origin=origin)


def _reply(turn: Turn, copy: transcript.Copy) -> llm.Reply:
    """Ask the model, and once more in a new conversation where OpenAI's copy is gone or in disorder."""
    try:
        return _respond(turn, copy)
    except llm.ConversationLostError:
        log.warning("turn.openai_conversation_lost", openai_conversation_id=copy.openai_conversation_id)
    except llm.UnusableError:
        transcript.forget(turn.conversation_id)
        raise
    transcript.forget(turn.conversation_id)
    return _respond(turn, transcript.read(turn))


def _respond(turn: Turn, copy: transcript.Copy) -> llm.Reply:
    said = turn.snapshot
    arguments = prompts.arguments(
        prompt_id=said["prompt_id"],
        version=said["prompt_version"],
        context=prompts.Context(
            customer_name=said.get("customer_name", ""),
            channel=said["channel"],
            business_name=said.get("business_name", ""),
            timezone=said.get("timezone", "UTC"),
            now=timezone.now(),
        ),
    )
    items = transcript.items(copy, now=timezone.now(), timezone=said.get("timezone", "UTC"))
    # No connection is held while a foreign API is called.
    connection.close()
    with leases.waiting(turn.lease_token):
        _bring_into_step(turn, copy)
        return llm.respond(
            arguments=arguments,
            conversation_id=copy.openai_conversation_id,
            items=items,
            metadata={"conversation_id": turn.conversation_id, "turn_id": turn.turn_id},
            safety_identifier=hashlib.sha256(turn.customer_id.encode()).hexdigest(),
            deadline=turn.ask_until,
            tools=calls.offered(said),
            known_item_id=copy.last_item_id,
            is_repeated=turn.is_resumed,
        )


def _bring_into_step(turn: Turn, copy: transcript.Copy) -> None:
    """Open the conversation at OpenAI if there is none, and take out what was never said."""
    if not copy.openai_conversation_id:
        opened = llm.create_conversation(
            metadata={"conversation_id": turn.conversation_id}, deadline=turn.ask_until
        )
        transcript.set_copy(copy, opened)
        connection.close()
    elif copy.surplus:
        try:
            llm.remove_items(
                conversation_id=copy.openai_conversation_id, item_ids=copy.surplus, deadline=turn.ask_until
            )
        except ForeignError as error:
            raise llm.ConversationLostError("not all could be taken out", code=error.code) from error
        transcript.clear_surplus(copy)
        connection.close()
