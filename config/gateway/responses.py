"""Sends responses: whole, in blocks, or as a problem document to a request whose body was not read."""

import asyncio
import contextlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings

from config.gateway.incoming import Incoming
from config.lib import asgi
from config.lib.api import problems
from config.lib.api.problems import ProblemError
from config.lib.asgi import Receive, Send

# A client that is still sending reads the response only if we go on receiving for a moment.
DRAIN_SECONDS = 2.0


class Rest(Protocol):
    """The blocks of a streamed response that follow the first one."""

    async def read(self) -> tuple[bytes, bool]:
        """Return the next block, and whether it is the last."""

    async def close(self) -> None:
        """Release what the response holds."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response: whole in `content`, or with a `rest` that is read block by block."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes = b""
    rest: Rest | None = None


class Sender:
    """Sends, and knows whether a response has begun, and with which status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False
        self.status: int | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Send a message."""
        self.has_begun = True
        self.status = message.get("status", self.status)
        await self._send(message)


async def send_response(response: Response, receive: Receive, send: Send) -> None:
    """Send a response; a streamed one until the client closes the connection."""
    start = {"type": "http.response.start", "status": int(response.status), "headers": response.headers}
    await send(start)
    if response.rest is None:
        await send({"type": "http.response.body", "body": response.content})
    else:
        await _stream(response.content, response.rest, receive, send)


async def _stream(block: bytes, rest: Rest, receive: Receive, send: Send) -> None:
    gone = asyncio.ensure_future(asgi.hung_up(receive))
    is_last = False
    try:
        while await _send_block(send, block, gone, is_last=is_last) and not is_last:
            block, is_last = await rest.read()
    finally:
        gone.cancel()
        await asyncio.shield(rest.close())


async def _send_block(send: Send, block: bytes, gone: asyncio.Future[None], *, is_last: bool) -> bool:
    """Send a block; return False if the client closed the connection first."""
    message = {"type": "http.response.body", "body": block, "more_body": not is_last}
    sending = asyncio.ensure_future(send(message))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
    return sending.done() and not gone.done()


async def send_problem(
    problem: ProblemError, request: Incoming, send: Send, *, headers: Mapping[str, str]
) -> None:
    """Send a problem document as the API's views do."""
    document = problems.document(problem.status_code, str(problem.get_codes()), str(problem.detail))
    named = {
        settings.CORRELATION_ID_HEADER: request.correlation_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **headers,
        **problem.headers,
        "Content-Type": problems.MEDIA_TYPE,
    }
    await asgi.send_json(send, problem.status_code, document, named)


async def discard_body(receive: Receive) -> None:
    """Receive and drop the rest of a refused body for a moment, so that the client sees the response."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (message := await receive())["type"] != "http.disconnect" and message.get("more_body"):
                pass
