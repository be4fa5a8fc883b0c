"""
The connection to OpenAI. Its functions run on the process's event loop (`config.lib.event_loop`).

`call` posts by aiohttp: the SDK's request layers cost three times as much as the request, in the process that
answers. `parse`, called once for a lead, uses the SDK. Neither retries: each hidden retry would be a second
billed call. Errors are sorted by status and code, never by their text.
"""

import asyncio
import email.utils
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

import aiohttp
import httpx2
import openai
import structlog
from django.conf import settings
from openai.types.responses import ParsedResponse
from pydantic import BaseModel, ValidationError

from config.lib import event_loop, logs, metrics
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
    query: Mapping[str, str | int] | None = None,
    file: tuple[str, bytes, str] | None = None,
) -> dict[str, Any]:
    """
    Call OpenAI once and return the JSON object it answers with; `deadline` is on the monotonic clock.

    :raises UnavailableError: if it is worth another try, or of unknown outcome
    :raises RejectedError: if it is not
    """

    async def ask(timeout: float) -> dict[str, Any]:
        return await _request(method, path, body, query, file, timeout)

    return await _once(ask, deadline, operation=_operation(path))


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
        connected = await _connected()
        parsed = connected.responses.parse(
            **arguments, text_format=text_format, timeout=timeout, extra_headers=headers
        )
        try:
            # The SDK's own timeout counts from the last byte; this one holds for the whole answer.
            return await asyncio.wait_for(parsed, timeout)
        except openai.APIStatusError as error:
            response = error.response
            raise _RefusedError.read(error.status_code, response.content, response.headers) from error
        except (ValidationError, AttributeError, TypeError) as error:
            log.warning("llm.answer_unreadable", reason=type(error).__name__)
            return None

    answer = await _once(ask, deadline, operation="parse")
    if answer is None:
        # The service works: what the model wrote is of no use.
        raise UnavailableError("the answer does not fit its schema", code="unreadable")
    return answer


def _operation(path: str) -> str:
    """Return the first part of a path, such as `responses`."""
    return path.strip("/").partition("/")[0]


async def _once(ask: Callable[[float], Awaitable[T]], deadline: float, *, operation: str) -> T:
    """Call OpenAI, with as many seconds as there are left, and sort what goes wrong."""
    if not breaker.allows():
        raise BreakerOpenError("breaker open", code="breaker_open", retry_after=breaker.pause)
    timeout = min(settings.OPENAI_TIMEOUT / 1000, deadline - time.monotonic())
    if timeout <= 0:
        raise UnavailableError("no time left for another attempt", code="deadline")
    with metrics.timed(metrics.MODEL_CALLS, metrics.MODEL_ERRORS, operation):
        return await _attempt(ask, timeout)


async def _attempt(ask: Callable[[float], Awaitable[T]], timeout: float) -> T:
    try:
        answer = await ask(timeout)
    except UnavailableError:
        breaker.failed()
        raise
    except _RefusedError as error:
        raise _from_status(error) from error
    except (openai.APIConnectionError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
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
    query: Mapping[str, str | int] | None,
    file: tuple[str, bytes, str] | None,
    timeout: float,
) -> dict[str, Any]:
    options: dict[str, Any] = {"data": _form(body, file)} if file is not None else {"json": body}
    async with session().request(
        method,
        f"{settings.OPENAI_BASE_URL.rstrip('/')}{path}",
        params=query,
        headers={
            "authorization": f"Bearer {settings.OPENAI_API_KEY}",
            settings.CORRELATION_ID_HEADER: logs.correlation_id(),
        },
        timeout=aiohttp.ClientTimeout(total=timeout),
        allow_redirects=False,
        **options,
    ) as response:
        content = await response.read()
    if not 200 <= response.status < 300:
        raise _RefusedError.read(response.status, content, response.headers)
    answer = json.loads(content)
    if not isinstance(answer, dict):
        raise UnavailableError("the answer is no object", code="unreadable")
    answer[REQUEST_ID] = response.headers.get("x-request-id", "")
    return answer


def _form(fields: object, file: tuple[str, bytes, str]) -> aiohttp.FormData:
    name, content, mime_type = file
    form = aiohttp.FormData()
    for field, value in (fields if isinstance(fields, Mapping) else {}).items():
        form.add_field(field, str(value))
    form.add_field("file", content, filename=name, content_type=mime_type)
    return form


@lru_cache(maxsize=1)
def session() -> aiohttp.ClientSession:
    """Return the process's connections to OpenAI, of which as many are kept as are in use."""
    connected = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30))
    event_loop.close_at_exit(connected.close)
    return connected


async def _connected() -> openai.AsyncOpenAI:
    """Return the SDK's client; the first caller creates it in a thread, since that blocks for long."""
    return client() if client.cache_info().currsize else await asyncio.to_thread(_created)


def _created() -> openai.AsyncOpenAI:
    with _creating:
        return client()


@lru_cache(maxsize=1)
def client() -> openai.AsyncOpenAI:
    """Return the process's client of the SDK."""
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


@dataclass(eq=False)
class _RefusedError(Exception):
    """
    An answer with another status than 2xx.

    https://platform.openai.com/docs/guides/error-codes/api-errors
    """

    status: int
    code: str | None
    param: str
    request_id: str
    headers: Mapping[str, str]

    @classmethod
    def read(cls, status: int, content: bytes, headers: Mapping[str, str]) -> "_RefusedError":
        """Read `{"error": {"code", "param", …}}`, or as much of it as there is."""
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        found = body.get("error", body) if isinstance(body, dict) else None
        error = found if isinstance(found, dict) else {}
        code, param = error.get("code"), error.get("param")
        return cls(
            status,
            str(code) if code is not None else None,
            str(param or ""),
            headers.get("x-request-id", ""),
            headers,
        )


def _from_status(error: _RefusedError) -> UnavailableError | RejectedError:
    about = {"code": error.code or str(error.status), "request_id": error.request_id}
    what = f"OpenAI answered {error.status} {error.code or ''}".rstrip()
    if error.code in _OUT_OF_MONEY or error.status in {401, 403}:
        log.error("llm.account_refused", **about)
        return AccountRefusedError(what, **about)
    if _is_about_the_conversation(error):
        return ConversationLostError(what, **about)
    if error.status >= 500:
        breaker.failed()
    else:
        breaker.succeeded()
    if error.status in {408, 409, 429} or error.status >= 500 or error.code == "conversation_locked":
        return UnavailableError(what, **about, retry_after=_retry_after(error.headers))
    return RejectedError(what, **about)


def _is_about_the_conversation(error: _RefusedError) -> bool:
    """Return whether the conversation is at fault (gone, or waiting for a tool), not a prompt or model."""
    if error.status == 404:
        return error.code != "model_not_found" and not error.param.startswith("prompt")
    return error.status == 400 and error.param == "input" and error.code is None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds to wait, from a number or a date."""
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
