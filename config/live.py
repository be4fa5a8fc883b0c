"""
What `live` serves: the event streams of web chats, and nothing else.

Thousands of connections that say nothing most of the time would cost an ordinary web process its threads and
its limits; here each is a coroutine. Plain ASGI: of Django it has the settings and the tables.
"""

import asyncio
import contextlib
import contextvars
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

from config import wsgi  # noqa: F401  (sets Django up, and refuses to start half-configured)

# isort: split
import structlog
from django.conf import settings

from channels_app.webchat.streams import FullError, TooManyStreamsError
from config.gateway.responses import Sender
from config.lib import access_log, asgi, logs, networks
from config.lib.api import problems
from config.lib.api.problems import (
    ProblemError,
    internal_error,
    method_not_allowed_detail,
    no_such_path,
    unavailable,
)
from config.lib.asgi import Receive, Scope, Send
from config.live_process import Process
from config.live_streams import PostgresAway, StreamWriter, in_thread
from conversations import feed
from conversations.api.webchat_events import Admitted, Call, admit

# Who has not been admitted by then is told to come again; who does not read for so long, is left.
ADMISSION_SECONDS = 10.0
WRITE_SECONDS = 30.0
_EVENTS = re.compile(r"/webchat/([A-Za-z0-9_.-]{1,50})/events")
_HEALTH = {"/health/live", "/health/ready"}
_TOO_MANY = (
    "too_many_streams",
    "This visitor or address already has too many open event streams. Close one first.",
)
_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
    "X-Accel-Buffering": "no",
}

_process = Process()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, or look after the process's beginning and end."""
    if scope["type"] == "lifespan":
        await _process.live(receive, send)
    elif scope["type"] == "http":
        headers = asgi.headers_of(scope["headers"])
        correlation = logs.correlation_of(headers.get(settings.CORRELATION_ID_HEADER.lower(), ""))
        record, sender = access_log.Record(scope["method"], scope["path"]), Sender(send)
        record.route = _route_of(scope["path"])
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            try:
                with access_log.recording(record):
                    await _answer(scope, headers, correlation, receive, sender)
            finally:
                record.measure(status=sender.status)
                record.write(status=sender.status)


def _route_of(path: str) -> str:
    if path in _HEALTH:
        return path
    return "/webchat/{phone_number_id}/events" if _EVENTS.fullmatch(path) else ""


async def _answer(
    scope: Scope, headers: Mapping[str, str], correlation: str, receive: Receive, send: Sender
) -> None:
    named = {settings.CORRELATION_ID_HEADER: correlation, "Vary": "Origin", "Cache-Control": "no-store"}
    try:
        _require_method(scope)
        if scope["path"] in _HEALTH:
            status, health = await _process.health(is_ready=scope["path"] == "/health/ready")
            await asgi.send_json(send, status, health, named)
        else:
            await _serve(_call(scope, headers), scope, receive, send, named)
    except ProblemError as problem:
        await _refuse(send, problem, named)
    except Exception as error:  # noqa: BLE001  (the access log has it)
        # The server would print the traceback as it is; in the access log it is masked.
        access_log.note_error(error)
        if not send.has_begun:
            await _refuse(send, internal_error(), named)


async def _refuse(send: Send, problem: ProblemError, named: Mapping[str, str]) -> None:
    code = str(problem.get_codes())
    document = problems.document(problem.status_code, code, str(problem.detail))
    document["correlation_id"] = named[settings.CORRELATION_ID_HEADER]
    headers = {**named, **problem.headers, "Content-Type": problems.MEDIA_TYPE}
    await asgi.send_json(send, problem.status_code, document, headers)


def _require_method(scope: Scope) -> None:
    allowed = ("GET", "HEAD") if scope["path"] in _HEALTH else ("GET", "OPTIONS")
    if scope["method"] not in allowed:
        detail = method_not_allowed_detail(scope["method"])
        raise ProblemError(
            HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, headers={"Allow": ", ".join(allowed)}
        )


def _call(scope: Scope, headers: Mapping[str, str]) -> Call:
    match = _EVENTS.fullmatch(scope["path"])
    if match is None:
        raise no_such_path(scope["path"])
    address = asgi.address_of(scope, headers, proxies=settings.TRUSTED_PROXIES)
    return Call(match[1], scope["method"], headers, networks.rate_limit_key(address))


async def _serve(call: Call, scope: Scope, receive: Receive, send: Send, named: dict[str, str]) -> None:
    admitted = await _admitted(call)
    headers = named | admitted.headers
    if admitted.visitor is None:
        await asgi.send_json(send, HTTPStatus.NO_CONTENT, None, headers)
        return
    try:
        with _process.streams.place(call.address):
            await _follow(admitted, _cursor(scope, call.headers), receive, send, headers)
    except FullError as error:
        raise _later(unavailable(), admitted) from error
    except TooManyStreamsError as error:
        raise _later(ProblemError(HTTPStatus.TOO_MANY_REQUESTS, *_TOO_MANY), admitted) from error


async def _admitted(call: Call) -> Admitted:
    try:
        async with asyncio.timeout(ADMISSION_SECONDS):
            # In this context, so that the thread's log lines and notes are this request's.
            admitted = await in_thread(contextvars.copy_context().run, admit, call)
    except (*PostgresAway, TimeoutError) as error:
        raise unavailable() from error
    if _process.is_stopping:
        raise _later(unavailable(), admitted)
    return admitted


def _later(problem: ProblemError, admitted: Admitted) -> ProblemError:
    # Not all at once.
    problem.headers |= admitted.headers | {"Retry-After": str(random.randint(5, 15))}
    return problem


def _cursor(scope: Scope, headers: Mapping[str, str]) -> str | None:
    query = parse_qs(scope["query_string"].decode("latin1"))
    cursor = headers.get("last-event-id") or query.get("after", [""])[-1]
    return feed.usable(cursor) if cursor else None


async def _follow(
    admitted: Admitted, after: str | None, receive: Receive, send: Send, headers: dict[str, str]
) -> None:
    """Follow until the stream is ended: by the reader, by us, or because its time is up."""
    assert admitted.visitor is not None
    streams = _process.streams
    # Whoever hangs up, or does not read, ends it too.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_lifetime()) as life:
            # Listening comes before reading: what happens in between is read, or rung for, or both.
            with streams.open(admitted.visitor, life) as stream:
                streams.know(stream, admitted.customer_id)
                await asgi.begin(send, HTTPStatus.OK, headers | _STREAM)
                access_log.note_stream()
                gone = asyncio.ensure_future(asgi.hung_up(receive))
                gone.add_done_callback(lambda _: stream.end())
                try:
                    mark, write = admitted.access_mark, _writer(send)
                    await StreamWriter(streams, stream, access_mark=mark, after=after, write=write).run()
                finally:
                    gone.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await send({"type": "http.response.body", "body": b""})


def _lifetime() -> float:
    """Return the delay in seconds, with jitter: clients must not reconnect all at once."""
    seconds: float = settings.LIVE_STREAM_LIFETIME / 1000
    return seconds * random.uniform(0.8, 1.2)


def _writer(send: Send) -> Callable[[bytes], Awaitable[None]]:
    async def write(block: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            await send({"type": "http.response.body", "body": block, "more_body": True})

    return write
