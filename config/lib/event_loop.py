"""
The event loop of this process: one thread on which vendors are called.

A connection belongs to the loop that opened it, so every coroutine that calls a vendor runs on this loop.
Nothing that blocks may run on it: no database, no file, no `time.sleep`.
"""

import asyncio
import atexit
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Any, TypeVar

import structlog
import uvloop

from config.lib import metrics

T = TypeVar("T")
log = structlog.get_logger(__name__)

# A loop that is late by more than this, in seconds, was blocked.
BLOCKED = 0.1
_PAUSE = 0.25

# Seconds that connections have for being closed when the process ends.
_PATIENCE = 1.0

_loop: asyncio.AbstractEventLoop | None = None
_closers: list[Callable[[], Coroutine[Any, Any, None]]] = []
_starting = threading.Lock()


def get() -> asyncio.AbstractEventLoop:
    """Return the process's event loop; its thread starts at the first call."""
    global _loop  # noqa: PLW0603
    with _starting:
        if _loop is None:
            _loop = uvloop.new_event_loop()
            threading.Thread(target=_run, args=[_loop], name="event-loop", daemon=True).start()
    return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the process's loop, with the caller's log context, and return its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, get()).result()


def close_at_exit(close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Register a coroutine function that closes connections; it runs on the loop when the process ends."""
    _closers.append(close)


async def in_thread(executor: Executor, function: Callable[..., T], *args: object) -> T:
    """Run a function that blocks in an executor, with the caller's log context."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(function, *args))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    watchdog = loop.create_task(watch("vendors"))  # noqa: F841  (a task that nobody refers to may vanish)
    loop.run_forever()


@atexit.register
def _close() -> None:
    if _loop is None:
        return
    for close in _closers:
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(close(), _loop).result(_PATIENCE)


async def watch(name: str) -> None:
    """Measure for ever how late the running loop wakes up, and log when something blocked it."""
    lag = metrics.LOOP_LAG.labels(name)
    loop = asyncio.get_running_loop()
    while True:
        expected = loop.time() + _PAUSE
        await asyncio.sleep(_PAUSE)
        late = loop.time() - expected
        lag.observe(max(late, 0))
        if late > BLOCKED:
            log.warning("event_loop.blocked", loop=name, ms=round(1000 * late))
