"""Being asked to stop: Ctrl-C, SIGTERM, or a terminal that went away."""

import os
import select
import signal
import time
from types import FrameType

_POLL_SECONDS = 0.1


class StopRequestedError(Exception):
    """Somebody asked to stop; raised only where we wait, so never in the middle of starting something."""


class Stops:
    """Counts the requests: the first begins an orderly end, a second one hurries it."""

    def __init__(self) -> None:
        self._count = 0
        self._terminal = select.poll()

    def listen(self) -> None:
        """Take the signals from now on."""
        # The kernel tells only a session's first process of a hang-up; make, if it is that, tells nobody.
        if os.isatty(0):
            self._terminal.register(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def wait(self, seconds: float) -> None:
        """
        Sleep.

        :raises StopRequestedError: as soon as a stop is asked for
        """
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _POLL_SECONDS))
            self.check()

    def check(self) -> None:
        """
        Do nothing.

        :raises StopRequestedError: if a stop was asked for
        """
        if self._count or self._terminal.poll(0):
            raise StopRequestedError

    @property
    def are_urgent(self) -> bool:
        """Return whether a stop was requested more than once."""
        return self._count > 1

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
