"""
SIGTERM: this process takes no new work, hands back what can be handed back, and is gone soon.

A thread that waits for a foreign API cannot be interrupted; so what it works on is given away first, and then
the process ends under it.
"""

import logging
import os
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

# Longer than a POST to a channel may take, and short enough to be gone within half a minute.
GRACE = 20.0

is_stopping = threading.Event()
_hand_back: list[Callable[[], None]] = []
_is_busy: list[Callable[[], bool]] = []


def register(*, hand_back: Callable[[], None], is_busy: Callable[[], bool]) -> None:
    """Register how work is handed back when this process stops, and whether some of it must end first."""
    _hand_back.append(hand_back)
    _is_busy.append(is_busy)


def begin() -> None:
    """Begin to stop, in the background; the process ends by itself if it can before we end it."""
    if not is_stopping.is_set():
        is_stopping.set()
        threading.Thread(target=_stop, name="stopping", daemon=True).start()


def _stop() -> None:
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        for hand_back in _hand_back:
            try:
                hand_back()
            except Exception:  # the process ends all the same
                log.exception("shutdown.not_handed_back")
        if not any(busy() for busy in _is_busy):
            break
        time.sleep(0.1)
    log.info("shutdown.done")
    logging.shutdown()
    os._exit(0)
