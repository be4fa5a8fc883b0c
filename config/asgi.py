"""
What `web` and `webhook` serve: the webhook on the event loop, everything else by the WSGI application.

A client that drips its body would keep one of the few threads for as long as it likes. Here the whole body is
read on the event loop first, within BODY_SECONDS; only then a thread is taken. An answer that is made bit by
bit is sent so: a thread is taken for each block, and none while the client takes it in.
"""

import asyncio
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from config.wsgi import application as wsgi  # sets Django up

# isort: split
from channels_app import reception
from channels_app.webchat.files import MOST_BYTES
from config.lib.asgi import Receive, Scope, Send, headers_of, hung_up

BODY_SECONDS = 10
# A picture may come over a bad line. The widget waits as long.
PICTURE_SECONDS = 60
# One byte more than is taken anywhere (a picture), so that the views say 413 and not we.
BODY_BYTES = MOST_BYTES + 1
THREADS = 16
# What is made bit by bit is sent in blocks of about this much.
BLOCK_BYTES = 64 * 1024

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="request")


class _GoneError(Exception):
    """The client hung up before its body was complete."""


class _Rest:
    """What follows of an answer that is made bit by bit; to be closed in the end."""

    def __init__(self, result: Any) -> None:
        self._parts = iter(result)
        self.close: Callable[[], None] = result.close

    def read(self) -> tuple[bytes, bool]:
        """Give the next block, and whether it is the last."""
        parts, size = [], 0
        for part in self._parts:
            parts.append(part)
            size += len(part)
            if size >= BLOCK_BYTES:
                return b"".join(parts), False
        return b"".join(parts), True


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes = b""
    rest: _Rest | None = None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request."""
    if scope["type"] != "http":
        return
    try:
        body = await _body(receive, seconds=_patience(scope["path"]))
    except TimeoutError:
        answer = _Answer(HTTPStatus.REQUEST_TIMEOUT, [(b"connection", b"close")])
    except _GoneError:
        return
    else:
        answer = await _answer(scope, body)
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if answer.rest is None:
        await send({"type": "http.response.body", "body": answer.content})
    else:
        await _stream(answer.content, answer.rest, receive, send)


async def _stream(block: bytes, rest: _Rest, receive: Receive, send: Send) -> None:
    """Send what there is and what follows, until the client hangs up."""
    loop = asyncio.get_running_loop()
    gone = asyncio.ensure_future(hung_up(receive))
    is_last = False
    try:
        while await _sent(send, block, gone, is_last=is_last) and not is_last:
            block, is_last = await loop.run_in_executor(_pool, rest.read)
    finally:
        gone.cancel()
        await asyncio.shield(loop.run_in_executor(_pool, rest.close))


async def _sent(send: Send, block: bytes, gone: asyncio.Future[None], *, is_last: bool) -> bool:
    """Send a block; False if the client hung up before it was taken."""
    message = {"type": "http.response.body", "body": block, "more_body": not is_last}
    sending = asyncio.ensure_future(send(message))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
    return sending.done() and not gone.done()


async def _answer(scope: Scope, body: bytes) -> _Answer:
    headers = headers_of(scope["headers"])
    what = {"method": scope["method"], "path": scope["path"], "scheme": scope["scheme"]}
    if reception.is_ordinary(**what, headers=headers, raw=body):
        status, named = await reception.receive(raw=body, headers=headers)
        return _Answer(status, [(name.encode(), value.encode()) for name, value in named.items()])
    return await asyncio.get_running_loop().run_in_executor(_pool, _call, _environ(scope, headers, body))


def _patience(path: str) -> int:
    is_picture = path.startswith("/webchat/") and path.endswith("/files")
    return PICTURE_SECONDS if is_picture else BODY_SECONDS


async def _body(receive: Receive, *, seconds: int) -> bytes:
    parts, size = [], 0
    async with asyncio.timeout(seconds):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size >= BODY_BYTES or not message.get("more_body"):
                return b"".join(parts)


def _environ(scope: Scope, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Say in WSGI's words (PEP 3333) what ASGI said."""
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
    for name, value in headers.items():
        if name != "content-length":
            key = name.upper().replace("-", "_")
            environ[key if name == "content-type" else f"HTTP_{key}"] = value
    return environ


def _call(environ: dict[str, Any]) -> _Answer:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        encoded = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers]
        started[:] = [int(status[:3]), encoded]

    result: Any = wsgi(environ, cast("Any", start_response))
    content, rest = b"", None
    try:
        if getattr(result, "streaming", False):
            rest = _Rest(result)
            content, is_all = rest.read()
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
    return _Answer(status, headers, content, rest)
