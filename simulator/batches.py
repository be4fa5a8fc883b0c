"""Collects webhooks for a while and posts them in one, as Meta does when much happens at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from simulator.exchange import Json


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of posting a webhook once; no status means no answer, and `error` says why."""

    status: int | None
    error: str = ""


@dataclass(slots=True)
class _Batch:
    answered: asyncio.Future[Delivery]
    entries: list[Json] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)


class Batches:
    """What is being collected: one batch for each of WhatsApp and Instagram."""

    def __init__(self, post: Callable[[Json, Sequence[str]], Awaitable[Delivery]]) -> None:
        """Start with nothing; `post` posts one webhook."""
        self._post = post
        self._open: dict[str, _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def post(self, document: Json, message_ids: Sequence[str], seconds: float) -> Delivery:
        """Put a webhook with the others that come within some seconds; the answer is one for all."""
        kind = document["object"]
        batch = self._open.get(kind)
        if batch is None:
            batch = self._open[kind] = _Batch(asyncio.get_running_loop().create_future())
            task = asyncio.create_task(self._close_after(seconds, kind, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        batch.entries += document["entry"]
        batch.message_ids += message_ids
        return await batch.answered

    async def close(self) -> None:
        """Forget what was collected."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close_after(self, seconds: float, kind: str, batch: _Batch) -> None:
        try:
            await asyncio.sleep(seconds)
            del self._open[kind]
            batch.answered.set_result(
                await self._post({"object": kind, "entry": batch.entries}, batch.message_ids)
            )
        finally:
            if not batch.answered.done():
                batch.answered.set_result(Delivery(None, "it was forgotten before it was posted"))
