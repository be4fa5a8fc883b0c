"""
Has what comes at once written at once: one transaction, and its costs, for many.

On an event loop: what comes waits a moment for others, then all is written together by a thread, while what
comes next is collected.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Batches(Generic[T]):
    """Collects items for one function that writes them together, one batch after the other."""

    def __init__(self, write: Callable[[list[T]], None], *, linger: float, most: int) -> None:
        self._write = write
        self._linger = linger
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")

    def add(self, item: T) -> "asyncio.Future[None]":
        """Add an item to the next batch; its future ends when it is written, or fails with its error."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((item, written))
        if self._writer is None or self._writer.done():
            self._writer = loop.create_task(self._run())
        return written

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._linger)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            items = [item for item, _ in batch]
            error = None
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, items)
            except Exception as raised:  # noqa: BLE001  (whoever added an item gets it)
                error = raised
            for _, written in batch:
                if written.done():  # nobody waits for it any more
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
