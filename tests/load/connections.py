"""The least of HTTP/1.1 that posts webhooks: connections kept open, one request at a time on each."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

MOST_CONNECTIONS = 256
LONGEST_ANSWER = 60.0
NOT_ANSWERED = 0
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass
class Outcomes:
    """When each request left and was answered (unix seconds), and its status; 0 for no answer."""

    posted: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @classmethod
    def for_requests(cls, count: int) -> "Outcomes":
        return cls([0.0] * count, [0.0] * count, [NOT_ANSWERED] * count)


class Poster:
    """Posts requests by their place in a list; those that find no connection wait in line."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes]) -> None:
        self.outcomes = Outcomes.for_requests(len(requests))
        self._finished = asyncio.Event()
        self._host, self._port = host, port
        self._requests = requests
        self._left = len(requests)
        self._waiting: deque[int] = deque()
        self._idle: list[_Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._open = 0

    def post(self, place: int) -> None:
        """Send a request now, or as soon as a connection is free."""
        if self._idle:
            self._idle.pop().send(place, self._requests[place])
            return
        self._waiting.append(place)
        if self._open < MOST_CONNECTIONS:
            self._open += 1
            task = asyncio.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def open(self, count: int) -> None:
        """Open connections ahead of the first request."""
        self._open += count
        await asyncio.gather(*(self._connect() for _ in range(count)))

    async def finish(self) -> None:
        """Wait until every request is answered, or none has been for LONGEST_ANSWER."""
        left_before = None
        while self._left and self._left != left_before:
            left_before = self._left
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_ANSWER):
                    await self._finished.wait()

    def done(self, place: int, status: int) -> None:
        """Note how a request ended."""
        self.outcomes.answered[place] = time.time()
        self.outcomes.statuses[place] = status
        self._left -= 1
        if not self._left:
            self._finished.set()

    def free(self, connection: "_Connection") -> None:
        """Give a connection its next request."""
        if self._waiting:
            place = self._waiting.popleft()
            connection.send(place, self._requests[place])
        else:
            self._idle.append(connection)

    def lost(self, connection: "_Connection") -> None:
        """Forget a connection that was closed, and open another if somebody waits for one."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self.post(self._waiting.popleft())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError:
            self._open -= 1
            if self._waiting:
                place = self._waiting.popleft()
                self.outcomes.posted[place] = time.time()
                self.done(place, NOT_ANSWERED)


class _Connection(asyncio.Protocol):
    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._transport: asyncio.Transport | None = None
        self._place: int | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but name.
        self._transport = cast("asyncio.Transport", transport)
        self._poster.free(self)

    def send(self, place: int, request: bytes) -> None:
        assert self._transport is not None
        self._place = place
        self._poster.outcomes.posted[place] = time.time()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_HEAD_END)
        if not found or len(body) < _length(head):
            return
        place, self._place, self._received = self._place, None, b""
        assert place is not None
        self._poster.done(place, int(head[9:12]))
        if b"connection: close" not in head.lower():
            self._poster.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._place is not None:
            self._poster.done(self._place, NOT_ANSWERED)
        self._poster.lost(self)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(_LENGTH)
    return int(rest.partition(b"\r\n")[0]) if found else 0
