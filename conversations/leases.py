"""
Leases on turns: a holder that is alive keeps its turns, a dead one's run out.

One thread a process renews all turns the process holds, in one statement, never past a turn's deadline.
"""

import contextlib
import threading
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db import Error, connection

from config.lib import sql

log = structlog.get_logger(__name__)


class LeaseLostError(Exception):
    """Somebody else holds the turn now, so this holder may change nothing any more."""


class _Keeper:
    """The leases this process holds."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, token: str) -> None:
        with self._lock:
            self._held.add(token)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
                self._thread.start()

    def discard(self, token: str) -> None:
        with self._lock:
            self._held.discard(token)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(settings.TURN_LEASE / 3000):
            with self._lock:
                tokens = list(self._held)
            if not tokens:
                continue
            try:
                renew(tokens)
            except Error as error:
                log.warning("leases.not_renewed", held=len(tokens), reason=type(error).__name__)
            finally:
                connection.close()


_keeper = _Keeper()


@contextlib.contextmanager
def held(token: str) -> Iterator[None]:
    """Keep a lease alive while the body runs."""
    _keeper.add(token)
    try:
        yield
    finally:
        _keeper.discard(token)


def renew(tokens: list[str]) -> None:
    """Extend the leases that are still ours, each to its deadline at most."""
    sql.execute(
        """
        UPDATE turns
           SET lease_expires_at = LEAST(statement_timestamp() + make_interval(secs => %s), deadline_at)
         WHERE lease_token = ANY(%s::uuid[]) AND state IN ('claimed', 'answered')
        """,
        [settings.TURN_LEASE / 1000, tokens],
    )
