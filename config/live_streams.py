"""One event stream from its beginning to its end, and the watch over all of them."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, connection

from channels_app.webchat import pubsub
from channels_app.webchat.sessions import Visitor
from channels_app.webchat.streams import Stream, StreamRegistry
from channels_app.webchat.subscriber import Subscriber
from conversations import feed
from conversations.feed import Fingerprint, Reading
from conversations.visitor_history import State

P = ParamSpec("P")
T = TypeVar("T")
Write = Callable[[bytes], Awaitable[None]]

log = structlog.get_logger(__name__)

HEARTBEAT = 20.0
RECONNECT_AFTER = 3000
# As long as the widget shows it when nothing else comes.
TYPING_SECONDS = 20
# How often all are polled: while notifications arrive (and may still be missed), and while they do not.
SAFETY_NET = 15.0
POLL = 2.0
# While Postgres is away.
RETRY = 2.0
_MARKS_AT_ONCE = 1000
_HEARTBEAT = b": \n\n"

# Reading takes a few milliseconds; more threads would only contend.
_pool = ThreadPoolExecutor(8, thread_name_prefix="live")
PostgresAway = (DatabaseError, InterfaceError)


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do database work in a thread, and hand the connection back."""
    work = partial(_closing, partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_pool, work)


def _closing(function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        connection.close()


class StreamWriter:
    """Tells the reader of one stream what is new; `cursor` is how far they have been told."""

    def __init__(
        self, streams: StreamRegistry, stream: Stream, *, access_mark: str, after: str | None, write: Write
    ) -> None:
        self._streams = streams
        self._stream = stream
        self._access_mark = access_mark
        self._send = write
        self._written_at = time.monotonic()
        self._cursor = after
        self._state: State | None = None

    async def run(self) -> None:
        """Yield missed events and then new ones, until the stream ends."""
        await self._write(b"retry: %d\n\n" % RECONNECT_AFTER)
        while True:
            has_changed, types = await self._stream.changed(seconds=max(self._heartbeat_in(), 0))
            if has_changed:
                reading = await self._read()
                if reading is None:
                    self._stream.end()
                    continue
                await self._tell(reading)
                # Whoever has answered does not type any more.
                types = types and all(one.author == "visitor" for one in reading.messages)
            if types:
                await self._write(event("typing", {"seconds": TYPING_SECONDS}))
            if self._heartbeat_in() <= 0:
                await self._write(_HEARTBEAT)

    def _heartbeat_in(self) -> float:
        return self._written_at + HEARTBEAT - time.monotonic()

    async def _write(self, block: bytes) -> None:
        await self._send(block)
        self._written_at = time.monotonic()

    async def _read(self) -> Reading | None:
        while True:
            try:
                reading = await in_thread(
                    feed.read,
                    self._stream.visitor,
                    after=self._cursor,
                    access_mark=self._access_mark,
                )
            except PostgresAway as error:
                log.warning("live.not_read", reason=type(error).__name__)
                await self._write(_HEARTBEAT)
                await asyncio.sleep(RETRY)
            else:
                return reading

    async def _tell(self, reading: Reading) -> None:
        self._stream.mark = reading.mark.text
        self._know(reading.mark)
        parts = [event("message", one.as_json()) for one in reading.messages]
        if parts:
            # The cursor is behind all of them: with the last of them the reader has it.
            parts[-1] = b"id: %b\n%b" % (reading.cursor.encode(), parts[-1])
        if reading.state != self._state:
            parts.append(event("state", reading.state.as_json()))
        if parts:
            await self._write(b"".join(parts))
        self._cursor, self._state = reading.cursor, reading.state
        if reading.has_more:
            self._stream.wake()

    def _know(self, mark: Fingerprint) -> None:
        if mark.customer_id != self._stream.customer_id:
            self._streams.know(self._stream, mark.customer_id)
            # What was rung for that row until now was not heard.
            self._stream.wake()


def event(kind: str, data: dict[str, Any]) -> bytes:
    """Return an event as it is sent."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class Poller:
    """Subscribes to notifications for all streams, and polls all of their chats now and then."""

    def __init__(self, streams: StreamRegistry, *, redis_url: str) -> None:
        self._streams = streams
        self._poll_now = asyncio.Event()
        self.subscriber = Subscriber(redis_url, on_message=streams.wake, on_doubt=self._poll_now.set)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self.subscriber.listen()), asyncio.create_task(self._poll())]

    def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()

    async def _poll(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._look_at_all()
            except PostgresAway as error:
                log.warning("live.not_looked", reason=type(error).__name__)
            except Exception:  # nobody would look again
                log.exception("live.look_failed")
            await self._pause(since=began)

    async def _pause(self, *, since: float) -> None:
        """Wait until it is time to look again, which may come closer meanwhile."""
        while not self._poll_now.is_set():
            pause = SAFETY_NET if self.subscriber.hears_all else POLL
            rest = since + pause - time.monotonic()
            if rest <= 0:
                return
            try:
                async with asyncio.timeout(min(rest, POLL)):
                    await self._poll_now.wait()
            except TimeoutError:
                continue
        self._poll_now.clear()

    async def _look_at_all(self) -> None:
        connected = self._streams.visitors()
        visitors = list(connected)
        for first in range(0, len(visitors), _MARKS_AT_ONCE):
            some = visitors[first : first + _MARKS_AT_ONCE]
            self._compare(connected, some, await in_thread(feed.fingerprints, some))

    def _compare(
        self,
        connected: dict[Visitor, list[Stream]],
        visitors: list[Visitor],
        fingerprints: dict[Visitor, Fingerprint],
    ) -> None:
        for visitor in visitors:
            mark = fingerprints.get(visitor)
            for stream in connected[visitor]:
                # One that has not read yet does so anyway; a chat that is gone is read once more, and ends.
                if stream.mark and (mark is None or mark.text != stream.mark):
                    stream.wake(pubsub.CHANGED)
