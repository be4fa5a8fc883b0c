"""Tells open phone pages what changes, by server-sent events."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from simulator import phone_labels
from simulator.behaviour import Behaviour
from simulator.exchange import Json, Receive, Send
from simulator.journal import Entry
from simulator.phone_chats import Chat, Message

HEARTBEAT_SECONDS = 15.0
# A page that far behind had better look at everything anew.
MOST_WAITING = 2000


class Feed:
    """The pages that listen, each with what waits to be told to it."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._listeners: set[asyncio.Queue[bytes | None]] = set()

    def tell_chat(self, chat: Chat, message: Message | None) -> None:
        """Tell of a chat and of the message that changed in it."""
        self._tell(
            "chat",
            lambda: {"chat": chat.as_document(), "message": message.as_document() if message else None},
        )

    def tell_request(self, entry: Entry) -> None:
        """Tell of a request that began or ended."""
        self._tell("request", lambda: phone_labels.summary(entry))

    def tell_behaviour(self, behaviour: Behaviour) -> None:
        """Tell how the others behave from now on."""
        self._tell("behaviour", behaviour.as_document)

    def tell_reset(self) -> None:
        """Tell that everything is forgotten."""
        self._tell("reset", dict)

    async def stream(self, receive: Receive, send: Send) -> None:
        """Answer a request with everything that happens from now on, until the page goes away."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        self._listeners.add(queue)
        leaving = asyncio.create_task(_gone(receive, queue))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send(send, _event("hello", {}))
            while (part := await _next(queue)) is not None:
                await _send(send, part)
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            # It went away while something was told to it.
            return
        finally:
            self._listeners.discard(queue)
            leaving.cancel()

    def close(self) -> None:
        """End all streams."""
        for queue in list(self._listeners):
            _end(queue)

    def _tell(self, kind: str, document: Callable[[], Json]) -> None:
        if not self._listeners:
            return
        event = _event(kind, document())
        for queue in list(self._listeners):
            if queue.full():
                _end(queue)
            else:
                queue.put_nowait(event)


def _event(kind: str, document: Json) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()


def _end(queue: asyncio.Queue[Any]) -> None:
    """Leave nothing in the queue but the end; the page then comes back by itself."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


async def _next(queue: asyncio.Queue[bytes | None]) -> bytes | None:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await queue.get()
    except TimeoutError:
        return b": still here\n\n"


async def _gone(receive: Receive, queue: asyncio.Queue[bytes | None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _end(queue)


async def _send(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})
