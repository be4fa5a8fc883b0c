"""
Has what comes at once written at once: one transaction, and its costs, for many.

Whoever comes first waits a moment, then writes what has come by then, its own and the others'; the others
wait for that.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    item: T
    woken: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    error: Exception | None = None


class Batches(Generic[T]):
    """Collects items of many threads for one function that writes them together."""

    def __init__(self, write: Callable[[list[T]], None], *, linger: float, most: int) -> None:
        self._write = write
        self._linger = linger
        self._most = most
        self._waiting: list[_Entry[T]] = []
        self._is_led = False
        self._guard = threading.Lock()

    def add(self, item: T) -> None:
        """Have an item written, and wait until it is; raises what the function raises."""
        entry = _Entry(item)
        with self._guard:
            self._waiting.append(entry)
            entry.leads, self._is_led = not self._is_led, True
        if not entry.leads:
            entry.woken.wait()
        if entry.leads:
            self._lead()
        if entry.error is not None:
            raise entry.error

    def _lead(self) -> None:
        time.sleep(self._linger)
        with self._guard:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            self._write([entry.item for entry in batch])
        except Exception as error:  # noqa: BLE001  (whoever added an item gets it)
            for entry in batch:
                entry.error = error
        finally:
            self._pass_on(batch)

    def _pass_on(self, batch: list[_Entry[T]]) -> None:
        with self._guard:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].woken.set()
        for entry in batch:
            entry.woken.set()
