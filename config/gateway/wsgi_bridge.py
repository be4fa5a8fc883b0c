"""
Calls Django's WSGI application from the event loop, with a body that is complete.

A client that sends its body slowly would hold one of the few threads for as long as it likes. A thread is
taken only when the body is there; a streamed response takes one for each block, and none in between. No
business takes more than its share (`shares`).
"""

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import structlog
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection

from config.gateway.incoming import Incoming
from config.gateway.responses import Response
from config.gateway.shares import Shares
from config.lib import access_log

T = TypeVar("T")

THREADS = 16
# Streamed responses are sent in blocks of about this size.
BLOCK_BYTES = 64 * 1024

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
_shares = Shares()


async def _in_pool(request: Incoming, function: Callable[[], T], *, may_refuse: bool = True) -> T:
    async with _shares.thread(request.owner, may_refuse=may_refuse):
        return await asyncio.get_running_loop().run_in_executor(_pool, function)


class _Rest:
    """The rest of a streamed response, read in the threads."""

    def __init__(self, request: Incoming, result: Any) -> None:
        self._request = request
        self._parts = iter(result)
        self._close: Callable[[], None] = result.close

    async def read(self) -> tuple[bytes, bool]:
        """Return the next block, and whether it is the last."""
        return await _in_pool(self._request, self.read_block, may_refuse=False)

    async def close(self) -> None:
        """Close the response."""
        await _in_pool(self._request, self._close, may_refuse=False)

    def read_block(self) -> tuple[bytes, bool]:
        """Return the next block, and whether it is the last; blocks."""
        parts, size = [], 0
        with _logging_as(self._request):
            for part in self._parts:
                parts.append(part)
                size += len(part)
                if size >= BLOCK_BYTES:
                    return b"".join(parts), False
        return b"".join(parts), True


async def in_thread(request: Incoming, function: Callable[[], T]) -> T:
    """Call a function that uses the database in one of the request threads."""
    return await _in_pool(request, partial(_closing, request, function))


def _closing(request: Incoming, function: Callable[[], T]) -> T:
    try:
        with _logging_as(request):
            return function()
    finally:
        connection.close()


@contextmanager
def _logging_as(request: Incoming) -> Iterator[None]:
    """Bind the request's correlation id to the log lines of this thread, also those of Django's handler."""
    bound = structlog.contextvars.bound_contextvars(correlation_id=request.correlation_id)
    with bound, access_log.recording(request.record):
        yield


async def respond(
    handler: WSGIHandler, request: Incoming, body: bytes, *, extra: dict[str, Any] | None = None
) -> Response:
    """Return Django's response; `extra` are further members of `request.META`."""
    environ = _environ(request, body) | (extra or {})
    return await _in_pool(request, partial(_respond, handler, request, environ))


def _environ(request: Incoming, body: bytes) -> dict[str, Any]:
    """Return the environ of PEP 3333."""
    scope = request.scope
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name != "content-length":
            key = name.upper().replace("-", "_")
            environ[key if name == "content-type" else f"HTTP_{key}"] = value
    return environ


def _respond(handler: WSGIHandler, request: Incoming, environ: dict[str, Any]) -> Response:
    with _logging_as(request):
        return _call(handler, request, environ)


def _call(handler: WSGIHandler, request: Incoming, environ: dict[str, Any]) -> Response:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        encoded = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers]
        started[:] = [int(status[:3]), encoded]

    result: Any = handler(environ, start_response)  # type: ignore[arg-type]
    content, rest = b"", None
    try:
        if getattr(result, "streaming", False):
            rest = _Rest(request, result)
            content, is_all = rest.read_block()
            rest = None if is_all else rest
        else:
            content = b"".join(result)
    except BaseException:
        rest = None
        raise
    finally:
        if rest is None and hasattr(result, "close"):
            result.close()
    status, headers = started
    return Response(status, headers, content, rest)
