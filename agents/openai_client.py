"""
The connection to OpenAI: the official SDK, one client a process, its own retries off.

Its functions run on the process's event loop (`config.lib.event_loop`). Each hidden retry would be a second
billed call. Errors are sorted by class and code, never by their text.
"""

import asyncio
import email.utils
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import httpx2
import openai
import structlog
from django.conf import settings
from openai.types.responses import ParsedResponse
from pydantic import BaseModel, ValidationError

from config.lib import event_loop, logs
from config.lib.breaker import Breaker
from config.lib.errors import RejectedError, UnavailableError

T = TypeVar("T")
Answer = TypeVar("Answer", bound=BaseModel)
log = structlog.get_logger(__name__)

# Failures in a row (any success starts the count anew), after which OpenAI is left alone for a while.
breaker = Breaker("openai", failures=5, window=10, pause=10)

_creating = threading.Lock()

# OpenAI's id of a request, in its answer: the name that the SDK gives it on models.
REQUEST_ID = "_request_id"

# 429s that no waiting mends.
_OUT_OF_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


class BreakerOpenError(UnavailableError):
    """OpenAI failed several times in a row a moment ago and is not asked now; try `retry_after` s later."""


class AccountRefusedError(RejectedError):
    """OpenAI refused the account: its key, a permission or its balance."""


class ConversationLostError(RejectedError):
    """OpenAI no longer has the conversation, or has it in a state that nothing can be added to."""


async def call(
    method: str,
    path: str,
    *,
    deadline: float,
    body: object = None,
    query: dict[str, object] | None = None,
    file: tuple[str, bytes, str] | None = None,
) -> dict[str, Any]:
    """
    Call OpenAI once and return the JSON object it answers with; `deadline` is on the monotonic clock.

    Through the SDK's own request method: its typed ones take a copy of each request apart and build a model
    from each answer, which cost more than the rest of the call.

    :raises UnavailableError: if it is worth another try, or of unknown outcome
    :raises RejectedError: if it is not
    """

    async def ask(timeout: float) -> dict[str, Any]:
        return _object(await _request(method, path, body, query, file, timeout))

    return await _once(ask, deadline)


async def parse(
    arguments: dict[str, Any], *, text_format: type[Answer], deadline: float
) -> ParsedResponse[Answer]:
    """
    Ask once for an answer that fits a schema; `deadline` is on the monotonic clock.

    https://platform.openai.com/docs/guides/structured-outputs

    :raises UnavailableError: if it is worth another try, which an answer that does not fit is as well
    :raises RejectedError: if it is not
    """

    async def ask(timeout: float) -> ParsedResponse[Answer] | None:
        headers = {settings.CORRELATION_ID_HEADER: logs.correlation_id()}
        try:
            connected = await _connected()
            return await connected.responses.parse(
                **arguments, text_format=text_format, timeout=timeout, extra_headers=headers
            )
        except (ValidationError, AttributeError, TypeError) as error:
            log.warning("llm.answer_unreadable", reason=type(error).__name__)
            return None

    answer = await _once(ask, deadline)
    if answer is None:
        # The service works: what the model wrote is of no use.
        raise UnavailableError("the answer does not fit its schema", code="unreadable")
    return answer


async def _once(ask: Callable[[float], Awaitable[T]], deadline: float) -> T:
    """Call OpenAI, with as many seconds as there are left, and sort what goes wrong."""
    if not breaker.allows():
        raise BreakerOpenError("breaker open", code="breaker_open", retry_after=breaker.pause)
    timeout = min(settings.OPENAI_TIMEOUT / 1000, deadline - time.monotonic())
    if timeout <= 0:
        raise UnavailableError("no time left for another attempt", code="deadline")
    try:
        # The SDK's own timeout counts from the last byte; this one holds for the whole answer.
        answer = await asyncio.wait_for(ask(timeout), timeout)
    except UnavailableError:
        breaker.failed()
        raise
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except (openai.APIConnectionError, TimeoutError, ValueError) as error:
        breaker.failed()
        raise UnavailableError(type(error).__name__, code="no_answer") from error
    except openai.OpenAIError as error:
        raise RejectedError(type(error).__name__) from error
    breaker.succeeded()
    return answer


async def _request(  # noqa: PLR0917  (one step of `call`, which has them by name)
    method: str,
    path: str,
    body: object,
    query: dict[str, object] | None,
    file: tuple[str, bytes, str] | None,
    timeout: float,
) -> httpx2.Response:
    options: dict[str, Any] = {
        "headers": {settings.CORRELATION_ID_HEADER: logs.correlation_id()},
        "timeout": timeout,
    }
    if query is not None:
        options["params"] = query
    given: dict[str, Any] = {} if body is None else {"body": body}
    if file is not None:
        given["files"] = {"file": file}
        options["headers"]["content-type"] = "multipart/form-data"
    send = getattr(await _connected(), method.lower())
    answer: httpx2.Response = await send(path, cast_to=httpx2.Response, options=options, **given)
    return answer


def _object(response: httpx2.Response) -> dict[str, Any]:
    answer = response.json()
    if not isinstance(answer, dict):
        raise UnavailableError("the answer is no object", code="unreadable")
    answer[REQUEST_ID] = response.headers.get("x-request-id", "")
    return answer


async def _connected() -> openai.AsyncOpenAI:
    """Return the process's client; the first caller creates it in a thread, since that blocks for long."""
    return client() if client.cache_info().currsize else await asyncio.to_thread(_created)


def _created() -> openai.AsyncOpenAI:
    with _creating:
        return client()


@lru_cache(maxsize=1)
def client() -> openai.AsyncOpenAI:
    """Return the process's client."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=30)
    connected = openai.AsyncOpenAI(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(timeout=settings.OPENAI_TIMEOUT / 1000, limits=limits),
    )
    event_loop.close_at_exit(connected.close)
    return connected


# --- Errors ------------------------------------------------------------------------------------------


def _from_status(error: openai.APIStatusError) -> UnavailableError | RejectedError:
    about = {"code": error.code or str(error.status_code), "request_id": error.request_id or ""}
    what = f"{type(error).__name__} {about['code']}"
    if error.code in _OUT_OF_MONEY or error.status_code in {401, 403}:
        log.error("llm.account_refused", **about)
        return AccountRefusedError(what, **about)
    if _is_about_the_conversation(error):
        return ConversationLostError(what, **about)
    if error.status_code >= 500:
        breaker.failed()
    else:
        breaker.succeeded()
    if (
        error.status_code in {408, 409, 429}
        or error.status_code >= 500
        or error.code == "conversation_locked"
    ):
        return UnavailableError(what, **about, retry_after=_retry_after(error))
    return RejectedError(what, **about)


def _is_about_the_conversation(error: openai.APIStatusError) -> bool:
    """Tell a conversation that is gone, or waits for the output of a tool, from a prompt or model that is."""
    param = error.param or ""
    if error.status_code == 404:
        return error.code != "model_not_found" and not param.startswith("prompt")
    return error.status_code == 400 and param == "input" and error.code is None


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Read how many seconds to wait, from a number or a date."""
    headers = error.response.headers
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
