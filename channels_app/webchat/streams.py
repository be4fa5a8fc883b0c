"""
The event streams that one process holds open: how many, whose, and which of them are to look again.

A stream is only told that something has changed; what, it reads when its reader can take it. So a slow
reader costs a few bytes, whatever happens meanwhile. All of this lives on one event loop.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from channels_app.webchat import pubsub
from channels_app.webchat.sessions import Visitor

MOST_BY_VISITOR = 5


class FullError(Exception):
    """This process holds as many streams as it may."""


class TooManyStreamsError(Exception):
    """This visitor or this address holds as many streams as it may."""


class Stream:
    """One open stream: how the chat stood when it was last read (`mark`), and whose row it is about."""

    __slots__ = ("_has_changed", "_life", "_types", "_wake", "customer_id", "mark", "visitor")

    def __init__(self, visitor: Visitor, life: asyncio.Timeout) -> None:
        self.visitor = visitor
        self.customer_id: str | None = None
        self.mark = ""
        self._life: asyncio.Timeout | None = life
        # Whatever has happened so far, it has not read.
        self._has_changed = True
        self._types = False
        self._wake = asyncio.Event()
        self._wake.set()

    def wake(self, kind: str = pubsub.CHANGED) -> None:
        """Wake the stream, so that it reads again."""
        if kind == pubsub.TYPING:
            self._types = True
        else:
            self._has_changed = True
        self._wake.set()

    async def changed(self, *, seconds: float) -> tuple[bool, bool]:
        """Wait for a notification; return whether the chat has changed and whether somebody types."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False, False
        self._wake.clear()
        changes = self._has_changed, self._types
        self._has_changed = self._types = False
        return changes

    def end(self) -> None:
        """End it now, whatever it waits for."""
        # One whose time is up cannot be given another.
        if self._life is not None and not self._life.expired():
            self._life.reschedule(asyncio.get_running_loop().time())

    def ended(self) -> None:
        """Note that it has ended."""
        self._life = None


class StreamRegistry:
    """All streams of this process."""

    def __init__(self, *, most: int, most_by_address: int) -> None:
        self.most = most
        self._most_by_address = most_by_address
        self._count = 0
        self._by_address: Counter[str] = Counter()
        # By each channel on which is rung for them.
        self._listening: dict[str, list[Stream]] = {}

    def __len__(self) -> int:
        return self._count

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """
        Keep a place for somebody, before it is known who they are.

        :raises FullError: if there is none
        :raises TooManyStreamsError: if the address has its share
        """
        if self._count >= self.most:
            raise FullError
        if self._by_address[address] >= self._most_by_address:
            raise TooManyStreamsError
        self._count += 1
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._count -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    @contextmanager
    def open(self, visitor: Visitor, life: asyncio.Timeout) -> Iterator[Stream]:
        """
        Open a stream of a visitor's chat: from now on notifications wake it.

        :raises TooManyStreamsError: if they follow it often enough
        """
        channel = _newcomer(visitor)
        if len(self._listening.get(channel, ())) >= MOST_BY_VISITOR:
            raise TooManyStreamsError
        stream = Stream(visitor, life)
        self._listen(channel, stream)
        try:
            yield stream
        finally:
            stream.ended()
            self._leave(channel, stream)
            self._leave(pubsub.channel(stream.customer_id or ""), stream)

    def know(self, stream: Stream, customer_id: str | None) -> None:
        """Store the customer of a stream: notifications about the row wake it, too."""
        if customer_id != stream.customer_id:
            self._leave(pubsub.channel(stream.customer_id or ""), stream)
            stream.customer_id = customer_id
            if customer_id is not None:
                self._listen(pubsub.channel(customer_id), stream)

    def wake(self, channel: str, kind: str) -> None:
        """Wake all streams that listen on a channel."""
        for stream in self._listening.get(channel, ()):
            stream.wake(kind)

    def visitors(self) -> dict[Visitor, list[Stream]]:
        """Return the connected visitors with their streams."""
        by_visitor: dict[Visitor, list[Stream]] = {}
        for stream in self._all():
            by_visitor.setdefault(stream.visitor, []).append(stream)
        return by_visitor

    def end_all(self) -> None:
        """End every stream now."""
        for stream in list(self._all()):
            stream.end()

    def _all(self) -> Iterable[Stream]:
        for channel, listening in self._listening.items():
            for stream in listening:
                if channel == _newcomer(stream.visitor):
                    yield stream

    def _listen(self, channel: str, stream: Stream) -> None:
        self._listening.setdefault(channel, []).append(stream)

    def _leave(self, channel: str, stream: Stream) -> None:
        listening = self._listening.get(channel, [])
        if stream in listening:
            listening.remove(stream)
            if not listening:
                del self._listening[channel]


def _newcomer(visitor: Visitor) -> str:
    return pubsub.newcomer_channel(phone_number_id=visitor.phone_number_id, visitor_id=visitor.visitor_id)
