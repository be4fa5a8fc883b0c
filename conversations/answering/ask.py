"""Ask the model for the reply of a claimed turn, and again while there is reason to."""

import hashlib
from typing import Any

import structlog
from django.utils import timezone

from agents import dashboard_prompts, llm, prompts
from config.lib import failpoints
from config.lib.errors import ForeignError, RejectedError, UnavailableError
from config.lib.jobs import Job, ring
from conversations import leases, reasons
from conversations.answering import attachments, function_calls, openai_copy, store, typing_indicator
from conversations.answering.open_turn import OpenTurn
from conversations.answering.openai_copy import Copy
from conversations.answering.steps import Steps

log = structlog.get_logger(__name__)

# How long OpenAI may make a turn wait, by Retry-After or by not answering at all.
PATIENCE = 15 * 60.0


async def ask(turn: OpenTurn, copy: Copy, steps: Steps) -> None:
    """
    Ask the model for the reply; if it fails, store the agent's fallback and the reason instead.

    Afterwards `turn.state` is `answered`, `failed`, `done` or `deferred`.

    :raises LeaseLostError: if another process holds the turn
    """
    if turn.is_poisonous:
        log.error("turn.given_up", attempts=turn.attempts)
        await _fail(turn, reasons.WORKER_DIED, steps)
        return
    failpoints.reach("P7", about=turn.phone_number_id)
    try:
        while not await _is_answered(turn, copy, steps):
            copy = await steps.alone(openai_copy.read, turn, until=turn.deadline)
    except UnavailableError as error:
        if not await _is_deferred(turn, error, steps):
            await _fail(turn, f"{reasons.MODEL_FAILED}{error.code or error}", steps, error)
    except ForeignError as error:
        await _fail(turn, f"{reasons.MODEL_FAILED}{error.code or error}", steps, error)


async def _is_answered(turn: OpenTurn, copy: Copy, steps: Steps) -> bool:
    """Ask once; False when there is reason to ask again: the customer wrote on, or a tool was called."""
    if copy.is_paused:
        await steps.alone(store.stop, turn, until=turn.deadline)
        return True
    if copy.messages:
        typing_indicator.show(
            copy.messages[-1], number=copy.number, customer_id=turn.customer_id, ig_id=copy.ig_id
        )
    if copy.has_files:
        await steps.beside(attachments.prepare, copy.messages, copy.number, turn.ask_until)
    reply, copy = await _reply(turn, copy, steps)
    turn.is_resumed = False
    failpoints.reach("P8", about=turn.phone_number_id)
    owed = [function_calls.output(call) for call in reply.calls]
    origin = store.Origin(reply.response_id, reply.item_ids, copy.lacking_ids, owed)
    if (reason := function_calls.handover_reason(reply.calls)) is not None and turn.settings.handover_enabled:
        await steps.alone(
            store.store_handover, turn, reply.text, reason, reply.tokens_used, origin, until=turn.deadline
        )
        return True
    if not reply.text:
        await steps.alone(function_calls.store_owed_outputs, turn, origin, until=turn.deadline)
        return False
    draft = store.draft(turn, text=reply.text, tokens_used=reply.tokens_used, origin=origin)
    if await steps.store(draft, until=turn.deadline):
        return True
    has_joined = await steps.alone(store.join, draft, until=turn.deadline)
    return not has_joined


async def _reply(turn: OpenTurn, copy: Copy, steps: Steps) -> tuple[llm.Reply, Copy]:
    """
    Return the model's reply and the copy it was made from, whose messages OpenAI now has.

    Where OpenAI's conversation is gone or in disorder, the request is repeated once in a new conversation,
    from a copy that is read again: it holds the newest part of the transcript, not only the turn's messages.
    """
    try:
        return await _respond(turn, copy, steps), copy
    except llm.ConversationLostError:
        log.warning("turn.openai_conversation_lost", openai_conversation_id=copy.openai_conversation_id)
    except llm.UnusableError:
        await steps.alone(openai_copy.forget, turn.conversation_id, until=turn.deadline)
        raise
    await steps.alone(openai_copy.forget, turn.conversation_id, turn.turn_id, until=turn.deadline)
    rebuilt = await steps.alone(openai_copy.read, turn, until=turn.deadline)
    return await _respond(turn, rebuilt, steps), rebuilt


async def _respond(turn: OpenTurn, copy: Copy, steps: Steps) -> llm.Reply:
    arguments = _arguments(turn, copy)
    now = timezone.now()
    if copy.has_files:
        items = await steps.beside(openai_copy.items, copy, now, turn.settings.timezone)
    else:
        items = openai_copy.items(copy, now, turn.settings.timezone)
    with leases.waiting(turn.lease_token):
        await _bring_into_step(turn, copy, steps)
        return await llm.respond(
            arguments=arguments,
            conversation_id=copy.openai_conversation_id,
            items=items,
            metadata={"conversation_id": turn.conversation_id, "turn_id": turn.turn_id},
            safety_identifier=hashlib.sha256(turn.customer_id.encode()).hexdigest(),
            deadline=turn.ask_until,
            tools=function_calls.offered(turn.settings),
            known_item_id=copy.last_item_id,
            is_repeated=turn.is_resumed,
        )


def _arguments(turn: OpenTurn, copy: Copy) -> dict[str, Any]:
    """
    Return who the model is in this turn.

    :raises RejectedError: if the prompt has no such version, or one that is too long when it is filled in
    """
    if isinstance(copy.prompt, RejectedError):
        raise copy.prompt
    context = prompts.Context(
        customer_name=turn.settings.customer_name,
        channel=turn.settings.channel,
        business_name=turn.settings.business_name,
        timezone=turn.settings.timezone,
        now=timezone.now(),
    )
    return copy.prompt.arguments(context)


async def _bring_into_step(turn: OpenTurn, copy: Copy, steps: Steps) -> None:
    """Open the conversation at OpenAI if there is none, and take out what was never said."""
    if not copy.openai_conversation_id:
        opened = await llm.create_conversation(
            metadata={"conversation_id": turn.conversation_id}, deadline=turn.ask_until
        )
        await steps.set_openai_conversation((turn.conversation_id, opened), until=turn.ask_until)
        copy.openai_conversation_id = opened
    elif copy.surplus:
        try:
            await llm.remove_items(
                conversation_id=copy.openai_conversation_id, item_ids=copy.surplus, deadline=turn.ask_until
            )
        except ForeignError as error:
            raise llm.ConversationLostError("not all could be taken out", code=error.code) from error
        await steps.alone(openai_copy.clear_surplus, copy, until=turn.ask_until)


# --- No reply ----------------------------------------------------------------------------------------


async def _fail(turn: OpenTurn, reason: str, steps: Steps, error: ForeignError | None = None) -> None:
    if error is not None:
        log.error("turn.not_answered", reason=str(error), code=error.code, request_id=error.request_id)
    if isinstance(error, UnavailableError) and not isinstance(error, llm.BreakerOpenError):
        # An answer may still come: into a copy that nobody looks at any more.
        await steps.alone(openai_copy.forget, turn.conversation_id, until=turn.deadline)
    await steps.alone(store.store_failure, turn, reason, until=turn.deadline)
    if _is_refused_dashboard_prompt(turn, error):
        agent_id, prompt_id = turn.settings.agent_id, turn.settings.prompt_id
        log.error("turn.dashboard_prompt_refused", agent_id=agent_id, prompt_id=prompt_id)
        await steps.alone(dashboard_prompts.report_refusal, agent_id, reason, until=turn.deadline)


def _is_refused_dashboard_prompt(turn: OpenTurn, error: ForeignError | None) -> bool:
    """Return whether OpenAI refused a request that names one of its dashboard's prompts."""
    others = (llm.UnusableError, llm.AccountRefusedError)
    is_refused = isinstance(error, RejectedError) and not isinstance(error, others)
    return is_refused and turn.settings.prompt_version is None


async def _is_deferred(turn: OpenTurn, error: UnavailableError, steps: Steps) -> bool:
    """Hand the turn back until OpenAI may be asked again, if that is long and not too late."""
    seconds = error.retry_after or 0
    if seconds <= llm.LONGEST_PAUSE and not isinstance(error, llm.BreakerOpenError):
        return False
    is_deferred = await steps.alone(
        leases.defer, turn.turn_id, turn.lease_token, seconds, PATIENCE, until=turn.deadline
    )
    if not is_deferred:
        return False
    log.warning("turn.deferred", seconds=round(seconds, 1), code=error.code)
    turn.state = "deferred"
    await steps.alone(_ring, turn.phone_number_id, min(seconds, PATIENCE), until=turn.deadline)
    return True


def _ring(phone_number_id: str, delay: float) -> None:
    ring(Job.DRAIN, delay=delay, phone_number_id=phone_number_id)
