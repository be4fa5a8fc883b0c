"""
What is asked of OpenAI: conversations, answers, transcriptions. All of it runs on the process's event loop.

What is worth another try is tried here, at most OPENAI_MAX_RETRIES times in all and never past the deadline.
Before an answer is asked for again the conversation is looked at: a call whose outcome nobody knows may have
left its answer there, and that is not paid for twice.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from agents import openai_client
from agents.attempts import LONGEST_PAUSE, retried
from agents.openai_client import AccountRefusedError, BreakerOpenError, ConversationLostError
from config.lib import metrics
from config.lib.errors import ForeignError, RejectedError, UnavailableError
from config.lib.texts import storable

__all__ = ["LONGEST_PAUSE", "AccountRefusedError", "BreakerOpenError", "ConversationLostError"]

Item = dict[str, Any]
log = structlog.get_logger(__name__)

# In characters: a longer reply is cut. On Instagram these are 20 parts already, each a request of its own.
LONGEST_REPLY = 20_000

# Failures told in an answer that is itself complete, of which some pass.
_PASSING = {"server_error", "rate_limit_exceeded", "vector_store_timeout"}


class UnusableError(RejectedError):
    """There is an answer in the conversation by now, but not one that can be sent."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a function called; each call needs its `function_call_output`."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What the model said, and what it took.

    `tokens_used` counts input and output; `item_ids` are all items this added to the conversation's end.
    """

    text: str
    response_id: str
    tokens_used: int
    item_ids: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()


async def create_conversation(*, metadata: dict[str, str], deadline: float) -> str:
    """
    Open an empty conversation and give its id; `deadline` is on the monotonic clock.

    https://platform.openai.com/docs/api-reference/conversations/create

    :raises UnavailableError: if it did not answer in time or at all
    :raises RejectedError: if it refused
    """

    async def attempt() -> str:
        body = {"metadata": metadata}
        answer = await openai_client.call("POST", "/conversations", body=body, deadline=deadline)
        opened = answer.get("id")
        if not isinstance(opened, str) or not opened:
            raise UnavailableError("the answer is no conversation", code="unreadable")
        return opened

    return await retried(attempt, deadline)


async def respond(
    *,
    arguments: dict[str, object],
    conversation_id: str,
    items: Sequence[Item],
    metadata: dict[str, str],
    safety_identifier: str,
    deadline: float,
    tools: Sequence[Item] = (),
    known_item_id: str = "",
    is_repeated: bool = False,
) -> Reply:
    """
    Ask the model to answer input items within a conversation, whose newest known output is `known_item_id`.

    With `is_repeated` it may have been asked already, by somebody who did not live to see the answer.

    https://platform.openai.com/docs/api-reference/responses/create

    :raises UnavailableError: if no answer came within the attempts and the deadline
    :raises ConversationLostError: if the conversation is gone or in disorder
    :raises UnusableError: if what came holds nothing to send
    :raises RejectedError: if OpenAI refused
    """
    request = {
        "truncation": "auto",
        "max_output_tokens": settings.OPENAI_MAX_OUTPUT_TOKENS,
        **arguments,
        "conversation": conversation_id,
        "input": list(items),
        "metadata": metadata,
        "safety_identifier": safety_identifier,
        **({"tools": list(tools)} if tools else {}),
    }
    may_be_answered = is_repeated

    async def attempt() -> Reply:
        nonlocal may_be_answered
        if may_be_answered:
            found = await _answer_in(conversation_id, items[-1], known_item_id, deadline)
            if found:
                log.warning("llm.answer_found", openai_conversation_id=conversation_id)
                return found
        try:
            return await _ask(request, deadline)
        except UnavailableError as error:
            may_be_answered = may_be_answered or error.code not in {"rate_limit_exceeded", "429"}
            raise

    return await retried(attempt, deadline)


async def _ask(request: dict[str, Any], deadline: float) -> Reply:
    """Ask for a response once, with a log line before and after it."""
    model, began = request.get("model", ""), time.monotonic()
    log.info("model.asked", model=model, items=len(request["input"]))
    try:
        answer = await openai_client.call("POST", "/responses", body=request, deadline=deadline)
        reply = _read(answer)
    except ForeignError as error:
        ms = round(1000 * (time.monotonic() - began))
        log.warning("model.failed", model=model, ms=ms, code=error.code, request_id=error.request_id)
        raise
    metrics.MODEL_TOKENS.inc(reply.tokens_used)
    log.info(
        "model.answered",
        model=answer.get("model") or model,
        ms=round(1000 * (time.monotonic() - began)),
        tokens=reply.tokens_used,
        request_id=answer.get(openai_client.REQUEST_ID) or reply.response_id,
    )
    return reply


async def _answer_in(conversation_id: str, asked: Item, known_item_id: str, deadline: float) -> Reply | None:
    """
    Find an answer to what was `asked` last at the end of the conversation, which is not the one we know.

    https://platform.openai.com/docs/api-reference/conversations/list-items
    """
    path = f"/conversations/{conversation_id}/items"
    page = await openai_client.call("GET", path, query={"order": "desc", "limit": 20}, deadline=deadline)
    output: list[Item] = []
    for item in page.get("data") or ():
        is_said = item.get("type") == "message" and item.get("role") == "assistant"
        if item.get("id") == known_item_id:
            break
        if is_said or item.get("type") in {"function_call", "reasoning"}:
            output.insert(0, item)
        elif output and _words(item) == _words(asked):
            return _reply(output, response_id="", tokens_used=0)
        else:
            break
    return None


def _words(item: Item) -> str:
    """Return the text of an input item, in any of its forms."""
    content = item.get("content") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "input_text")


async def remove_items(*, conversation_id: str, item_ids: Sequence[str], deadline: float) -> None:
    """
    Take items out of a conversation; those that are gone already do not matter.

    https://platform.openai.com/docs/api-reference/conversations/delete-item

    :raises ForeignError: if one could not be taken out
    """
    for item_id in item_ids:
        path = f"/conversations/{conversation_id}/items/{item_id}"
        try:
            await retried(lambda: openai_client.call("DELETE", path, deadline=deadline), deadline)  # noqa: B023
        except ConversationLostError:
            log.info("llm.item_gone", openai_conversation_id=conversation_id)


async def transcribe(*, content: bytes, filename: str, mime_type: str, deadline: float) -> str:
    """
    Write down what is said in a recording.

    https://platform.openai.com/docs/api-reference/audio/createTranscription

    :raises UnavailableError: if no answer came within the attempts and the deadline
    :raises RejectedError: if OpenAI refused the file
    """

    async def attempt() -> str:
        heard = await openai_client.call(
            "POST",
            "/audio/transcriptions",
            body={"model": settings.OPENAI_TRANSCRIBE_MODEL},
            file=(filename, content, mime_type),
            deadline=deadline,
        )
        return str(heard.get("text", "")).strip()

    return await retried(attempt, deadline)


# --- Reading an answer -------------------------------------------------------------------------------


def _read(response: dict[str, Any]) -> Reply:
    output, response_id = finished(response)
    tokens = int((response.get("usage") or {}).get("total_tokens") or 0)
    return _reply(output, response_id=response_id, tokens_used=tokens)


def finished(response: dict[str, Any]) -> tuple[list[Item], str]:
    """
    Return the output and the id of a finished response; a 200 may also hold a failure, or rubbish.

    :raises UnavailableError: if it is worth another try
    :raises UnusableError: if it is not
    """
    output, response_id = response.get("output"), response.get("id")
    if not isinstance(output, list) or not isinstance(response_id, str):
        raise UnavailableError("the answer is no response object", code="unreadable")
    if response.get("status") in {"failed", "cancelled"}:
        code = str((response.get("error") or {}).get("code") or "failed")
        kind = UnavailableError if code in _PASSING else UnusableError
        raise kind("the response failed", code=code, request_id=response_id)
    reason = (response.get("incomplete_details") or {}).get("reason")
    if reason == "content_filter":
        raise UnusableError("the answer was filtered", code="content_filter", request_id=response_id)
    if reason:
        log.warning("llm.answer_cut_short", reason=reason, request_id=response_id)
    return output, response_id


def _reply(output: list[Item], *, response_id: str, tokens_used: int) -> Reply:
    said = [item for item in output if item.get("type") == "message" and item.get("role") == "assistant"]
    # What a model thinks aloud is not for the customer.
    answers = [item for item in said if item.get("phase") != "commentary"] or said
    parts = [part for item in answers for part in item.get("content") or ()]
    text = _shortened(storable("".join(str(part.get("text") or "") for part in parts)).strip())
    calls = tuple(
        ToolCall(str(item["call_id"]), str(item["name"]), str(item.get("arguments") or ""))
        for item in output
        if item.get("type") == "function_call"
    )
    if not text and not calls:
        is_refusal = any(part.get("type") == "refusal" for part in parts)
        code = "refusal" if is_refusal else "empty_output"
        raise UnusableError("the answer holds no text", code=code, request_id=response_id)
    ids = tuple(str(item["id"]) for item in output if item.get("id"))
    return Reply(text, response_id, tokens_used, ids, calls)


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_REPLY:
        return text
    log.warning("llm.answer_cut_short", reason="longest_reply", characters=len(text))
    return f"{text[: LONGEST_REPLY - 1]}…"
