"""
A circuit breaker for many threads.

pybreaker holds one lock for the length of each call, which would queue all threads of a worker behind each
other; this one only counts.
"""

import threading
import time
from collections import deque

import structlog

from config.lib import metrics

log = structlog.get_logger(__name__)


class Breaker:
    """Opens after `failures` failures within `window` seconds, then lets one probe through each `pause` s."""

    def __init__(self, name: str, *, failures: int = 3, window: float = 10, pause: float = 10) -> None:
        self.name = name
        self._window = window
        self.pause = pause
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._probe_at = 0.0  # 0 while closed
        self._lock = threading.Lock()
        metrics.BREAKER_OPEN.labels(name).set_function(lambda: self.is_open)

    @property
    def is_open(self) -> bool:
        """Return whether callers are turned away."""
        return self._probe_at > 0

    def allows(self) -> bool:
        """Return whether a call may be made now; while open, that is one probe per pause."""
        if not self._probe_at:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._probe_at:
                return False
            self._probe_at = now + self.pause
            return True

    def succeeded(self) -> None:
        """Note that a call went through."""
        if not self._probe_at and not self._failed_at:
            return
        with self._lock:
            was_open, self._probe_at = self.is_open, 0.0
            self._failed_at.clear()
        if was_open:
            log.warning("breaker.closed", breaker=self.name)

    def failed(self) -> None:
        """Note that a call did not go through."""
        with self._lock:
            now = time.monotonic()
            self._failed_at.append(now)
            opens = (
                not self.is_open
                and len(self._failed_at) == self._failed_at.maxlen
                and now - self._failed_at[0] <= self._window
            )
            if opens or self.is_open:
                self._probe_at = now + self.pause
        if opens:
            log.warning("breaker.opened", breaker=self.name)
