"""
The steps of answering that write to Postgres, each for many turns at once.

A step takes what gathered while its previous statement ran and it rested: one that is idle starts at once, so
a lone turn waits for nothing. Steps run in threads, each with a connection of its own, so that the event loop
goes on.
"""

import asyncio
import queue
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from config.lib import errors, event_loop, metrics, sql
from conversations.answering import openai_copy, send, store
from conversations.answering.open_turn import OpenTurn
from conversations.answering.send import Posted
from conversations.answering.store import Draft
from conversations.posting import Posting

T = TypeVar("T")
Item = TypeVar("Item")
Result = TypeVar("Result")
log = structlog.get_logger(__name__)

# How many turns one statement takes at most.
MOST = 200
# A step rests this many times as long as its statement took, but not longer than this, in seconds. The busier
# the machine, the more turns gather meanwhile: what a statement costs is shared by all of them.
REST = 2.0
LONGEST_REST = 0.05
# Threads for what concerns one turn only: failures, handovers.
THREADS = 8
# Threads that fetch files, which may take as long as `attachments.PATIENCE`. They hold no connection then.
FILE_THREADS = 16


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    """An item that waits for its step."""

    item: Item
    until: float
    future: asyncio.Future[Result]
    context: Context

    def end(self, task: asyncio.Task[Result]) -> None:
        """End as a task did that tried the item by itself."""
        if error := task.exception():
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


@asynccontextmanager
async def rested() -> AsyncIterator[None]:
    """Rest after a statement, in proportion to the time that it took."""
    began = time.monotonic()
    yield
    await asyncio.sleep(min(REST * (time.monotonic() - began), LONGEST_REST))


class Step(Generic[Item, Result]):
    """
    A function from many items to as many results, called with one item at a time.

    Where it raises for many items, each is tried by itself: one row that Postgres refuses, or that another
    session keeps locked, holds up no other.
    """

    def __init__(
        self, function: Callable[[Sequence[Item]], list[Result]], *, executor: Executor, alone: Executor
    ) -> None:
        self._function = function
        self._executor = executor
        self._alone = alone
        self._waiting: list[_Waiting[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: Item, *, until: float) -> Result:
        """
        Return the item's result; while Postgres is away it is tried again until then, on the monotonic clock.

        :raises Exception: what the function raises for this item alone
        """
        waiting: _Waiting[Item, Result] = _Waiting(
            item, until, asyncio.get_running_loop().create_future(), copy_context()
        )
        self._waiting.append(waiting)
        if self._task is None:
            # What many turns share is logged under no turn's correlation id.
            self._task = asyncio.create_task(self._work(), context=Context())
        return await waiting.future

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                async with rested():
                    await self._run(batch)
        finally:
            self._task = None

    async def _run(self, batch: list[_Waiting[Item, Result]]) -> None:
        began = time.perf_counter()
        try:
            items = [waiting.item for waiting in batch]
            results = await event_loop.in_thread(self._executor, _keeping_connection(self._function), items)
            metrics.batch(self._function.__name__, len(batch), began)
        except Exception as error:  # noqa: BLE001  (each item is tried again by itself)
            log.warning(
                "step.taken_apart",
                step=self._function.__name__,
                turns=len(batch),
                reason=errors.summary(error),
            )
            for waiting in batch:
                task = asyncio.create_task(self._one(waiting.item, waiting.until), context=waiting.context)
                task.add_done_callback(waiting.end)
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.future.set_result(result)

    async def _one(self, item: Item, until: float) -> Result:
        def run() -> list[Result]:
            return sql.retry_until(lambda: self._function([item]), until=until)

        results = await event_loop.in_thread(self._alone, _releasing_connection(run))
        return results[0]


def _keeping_connection(function: Callable[..., T]) -> Callable[..., T]:
    """Wrap a function so that its thread keeps the connection between calls, unless a call fails."""

    def call(*args: object) -> T:
        try:
            return function(*args)
        except Exception as error:
            sql.discard_if_read_only(error)
            sql.release_connection()
            raise

    return call


def _releasing_connection(function: Callable[..., T]) -> Callable[..., T]:
    def call(*args: object) -> T:
        try:
            return function(*args)
        finally:
            sql.release_connection()

    return call


@dataclass(slots=True)
class Steps:
    """Every step, and what runs beside them."""

    set_openai_conversation: Step[tuple[str, str], None]
    store: Step[Draft, bool]
    begin: Step[OpenTurn, Posting | None]
    finish: Step[Posted, bool]
    claiming: Executor
    threads: Executor
    files: Executor

    async def claim(self, function: Callable[..., T], *args: object) -> T:
        """Run a claim, on the connection that claims."""
        return await event_loop.in_thread(self.claiming, _keeping_connection(function), *args)

    async def alone(self, function: Callable[..., T], *args: object, until: float) -> T:
        """Run a function that concerns one turn; while Postgres is away, again until then."""
        retried = partial(sql.retry_until, lambda: function(*args), until=until)
        return await event_loop.in_thread(self.threads, _releasing_connection(retried))

    async def beside(self, function: Callable[..., T], *args: object) -> T:
        """Run a function that reads or fetches files."""
        return await event_loop.in_thread(self.files, _releasing_connection(function), *args)


def _steps(
    *, claiming: Executor, asking: Executor, sending: Executor, threads: Executor, files: Executor
) -> Steps:
    return Steps(
        set_openai_conversation=Step(openai_copy.set_openai_conversations, executor=asking, alone=threads),
        store=Step(store.store_drafts, executor=asking, alone=threads),
        begin=Step(send.begin, executor=sending, alone=threads),
        finish=Step(send.finish, executor=sending, alone=threads),
        claiming=claiming,
        threads=threads,
        files=files,
    )


def in_threads() -> Steps:
    """Return steps with threads of their own."""

    def thread(name: str) -> Executor:
        return ThreadPoolExecutor(1, thread_name_prefix=f"engine-{name}")

    return _steps(
        claiming=thread("claim"),
        asking=thread("store"),
        sending=thread("send"),
        threads=ThreadPoolExecutor(THREADS, thread_name_prefix="engine-alone"),
        files=ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="engine-files"),
    )


class Caller(Executor):
    """Runs everything in the thread that calls `serve`, one after the other, and with its connection."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a function for the thread that serves."""
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def serve(self, done: "Future[T]") -> T:
        """Call what is submitted until `done` is, and return its result."""
        done.add_done_callback(lambda _: self._jobs.put(None))
        while (job := self._jobs.get()) is not None:
            future, function = job
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001  (the future raises it)
                future.set_exception(error)
        return done.result()

    def steps(self) -> Steps:
        """Return steps that run in the calling thread."""
        return _steps(claiming=self, asking=self, sending=self, threads=self, files=self)
