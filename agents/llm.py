"""
The client of OpenAI's Responses and Conversations APIs, through the official SDK.

One SDK client a process. The SDK's own retries are off: each hidden retry would be a second billed call. What
is worth another try is tried here, at most OPENAI_MAX_RETRIES times in all and never past the deadline.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import openai
import structlog
from django.conf import settings
from openai.types.conversations import Conversation
from openai.types.responses import Response
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from config.lib import logs
from config.lib.errors import RejectedError, UnavailableError
from config.lib.texts import storable

T = TypeVar("T")
log = structlog.get_logger(__name__)

# 429s that no waiting mends.
_OUT_OF_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_backoff = wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5)


class ConversationNotFoundError(RejectedError):
    """OpenAI no longer has the conversation."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said, and what it took; `tokens_used` counts input and output."""

    text: str
    response_id: str
    tokens_used: int


def create_conversation(*, items: list[dict[str, str]], metadata: dict[str, str], deadline: float) -> str:
    """
    Open a conversation at OpenAI with up to 20 items and give its id; `deadline` is on the monotonic clock.

    https://platform.openai.com/docs/api-reference/conversations/create

    :raises UnavailableError: if it did not answer in time or at all
    :raises RejectedError: if it refused
    """

    def call(timeout: float) -> str:
        opened = _client().conversations.create(
            items=cast("Any", items), metadata=metadata, extra_headers=_headers(), timeout=timeout
        )
        if not isinstance(opened, Conversation) or not opened.id:
            raise UnavailableError("the answer is no conversation")
        return opened.id

    return _retried(call, deadline)


def respond(
    *,
    arguments: dict[str, object],
    conversation_id: str,
    items: list[dict[str, Any]],
    metadata: dict[str, str],
    safety_identifier: str,
    deadline: float,
) -> Reply:
    """
    Ask the model to answer input items within a conversation.

    https://platform.openai.com/docs/api-reference/responses/create

    :raises UnavailableError: if no answer came within the attempts and the deadline
    :raises ConversationNotFoundError: if the conversation is gone
    :raises RejectedError: if OpenAI refused, or what came back holds no text
    """
    request: dict[str, Any] = {
        **arguments,
        "conversation": conversation_id,
        "input": items,
        "metadata": metadata,
        "safety_identifier": safety_identifier,
        "truncation": "auto",
        "max_output_tokens": arguments.get("max_output_tokens", settings.OPENAI_MAX_OUTPUT_TOKENS),
    }

    def call(timeout: float) -> Reply:
        return _read(_client().responses.create(**request, extra_headers=_headers(), timeout=timeout))

    return _retried(call, deadline)


def transcribe(*, content: bytes, filename: str, mime_type: str, deadline: float) -> str:
    """
    Write down what is said in a recording.

    https://platform.openai.com/docs/api-reference/audio/createTranscription

    :raises UnavailableError: if no answer came within the attempts and the deadline
    :raises RejectedError: if OpenAI refused the file
    """

    def call(timeout: float) -> str:
        heard = _client().audio.transcriptions.create(
            file=(filename, content, mime_type),
            model=settings.OPENAI_TRANSCRIBE_MODEL,
            extra_headers=_headers(),
            timeout=timeout,
        )
        return str(getattr(heard, "text", "")).strip()

    return _retried(call, deadline)


def _read(response: object) -> Reply:
    """Take a finished answer; a 200 may also hold a failure, a refusal, nothing at all, or rubbish."""
    if not isinstance(response, Response) or not response.id or response.output is None:
        raise UnavailableError("the answer is no response object")
    if response.status == "failed":
        code = response.error.code if response.error else "failed"
        raise UnavailableError("the response failed", code=code, request_id=response.id)
    text = storable(response.output_text).strip()
    if not text:
        raise RejectedError(f"no text in a response that is {response.status}", code="empty_output")
    usage = response.usage
    return Reply(text=text, response_id=response.id, tokens_used=usage.total_tokens if usage else 0)


@lru_cache(maxsize=1)
def _client() -> openai.OpenAI:
    return openai.OpenAI(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        max_retries=0,
        http_client=openai.DefaultHttpx2Client(timeout=settings.OPENAI_TIMEOUT / 1000),
    )


def _headers() -> dict[str, str]:
    return {settings.CORRELATION_ID_HEADER: logs.correlation_id()}


def _retried(call: Callable[[float], T], deadline: float) -> T:
    def attempt() -> T:
        timeout = min(settings.OPENAI_TIMEOUT / 1000, deadline - time.monotonic())
        if timeout <= 0:
            raise _DeadlineError("no time left for another attempt")
        return _translated(call, timeout)

    retrying = Retrying(
        retry=retry_if_exception(_is_worth_another),
        stop=lambda state: (
            stop_after_attempt(settings.OPENAI_MAX_RETRIES)(state)
            or time.monotonic() + _pause(state) >= deadline
        ),
        wait=_pause,
        before_sleep=_announce,
        reraise=True,
    )
    return retrying(attempt)


class _DeadlineError(UnavailableError):
    pass


def _is_worth_another(error: BaseException) -> bool:
    return isinstance(error, UnavailableError) and not isinstance(error, _DeadlineError)


def _pause(state: RetryCallState) -> float:
    """Wait as long as asked by Retry-After, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, UnavailableError) else None
    return asked if asked is not None else _backoff(state)


def _announce(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning(
        "llm.retrying", attempt=state.attempt_number, reason=str(error), code=getattr(error, "code", "")
    )


def _translated(call: Callable[[float], T], timeout: float) -> T:
    try:
        return call(timeout)
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except (openai.APIConnectionError, ValueError) as error:
        raise UnavailableError(type(error).__name__) from error
    except openai.OpenAIError as error:
        raise RejectedError(type(error).__name__) from error


def _from_status(error: openai.APIStatusError) -> UnavailableError | RejectedError:
    """Sort an error answer by class and code, never by its text."""
    about = {"code": error.code or str(error.status_code), "request_id": error.request_id or ""}
    what = f"{type(error).__name__} {about['code']}"
    if error.code in _OUT_OF_MONEY or error.status_code in {401, 403}:
        log.error("llm.account_refused", **about)
        return RejectedError(what, **about)
    if (
        error.status_code == 404
        and error.code != "model_not_found"
        and not (error.param or "").startswith("prompt")
    ):
        return ConversationNotFoundError(what, **about)
    if (
        error.status_code in {408, 409, 429}
        or error.status_code >= 500
        or error.code == "conversation_locked"
    ):
        return UnavailableError(what, **about, retry_after=_retry_after(error))
    return RejectedError(what, **about)


def _retry_after(error: openai.APIStatusError) -> float | None:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None
