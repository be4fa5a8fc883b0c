"""
Leases on turns: a holder that is alive keeps its turns, a dead one's run out.

One thread a process renews all turns the process holds, in one statement, never past a turn's deadline. A
process that stops hands its turns back, all but those it is sending for.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db import Error, connection

from config.lib import shutdown, sql

log = structlog.get_logger(__name__)

# Seconds until a renewal is repeated that Postgres did not take.
_RETRY_PAUSE = 1.0


class LeaseLostError(Exception):
    """Somebody else holds the turn now, so this holder may change nothing any more."""


class _Keeper:
    """The leases this process holds, and which of them may be handed back at any time."""

    def __init__(self) -> None:
        self._held: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._busy = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def held(self, token: str, *, since: float | None = None) -> Iterator[None]:
        with self._lock:
            self._held[token] = _lease_from(time.monotonic() if since is None else since)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(token, None)

    def is_valid(self, token: str) -> bool:
        with self._lock:
            return time.monotonic() < self._held.get(token, 0)

    @contextlib.contextmanager
    def waiting(self, token: str) -> Iterator[None]:
        with self._lock:
            self._waiting.add(token)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(token)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def hand_back(self) -> None:
        with self._lock:
            tokens = list(self._waiting)
        try:
            hand_back(tokens)
        finally:
            connection.close()

    def is_busy(self) -> bool:
        with self._lock:
            return self._busy > len(self._waiting)

    def _run(self) -> None:
        pause, seconds = threading.Event(), _renewal_pause()
        while not pause.wait(seconds):
            seconds = _renewal_pause()
            if not self._renew_held():
                seconds = min(seconds, _RETRY_PAUSE)

    def _renew_held(self) -> bool:
        """Renew all leases; return False if Postgres did not take that."""
        with self._lock:
            tokens = list(self._held)
        if not tokens:
            return True
        requested_at = time.monotonic()
        try:
            self._renewed(renew(tokens), requested_at)
        except Error as error:
            sql.discard_if_read_only(error)
            log.warning("leases.not_renewed", held=len(tokens), reason=type(error).__name__)
            return False
        finally:
            connection.close()
        return True

    def _renewed(self, tokens: list[str], requested_at: float) -> None:
        with self._lock:
            for token in tokens:
                if token in self._held:
                    self._held[token] = _lease_from(requested_at)


def _renewal_pause() -> float:
    return float(settings.TURN_LEASE) / 3000


def _lease_from(moment: float) -> float:
    return moment + float(settings.TURN_LEASE) / 1000


_keeper = _Keeper()
shutdown.register(hand_back=_keeper.hand_back, is_busy=_keeper.is_busy)

# While the body runs: the lease, which was given at `since` on the monotonic clock, is kept alive; …
held = _keeper.held
# It has not run out by our own clock, which goes on while this process is frozen.
is_valid = _keeper.is_valid
# … it may be handed back at any time, since its holder only waits for the model; …
waiting = _keeper.waiting
# … the process must not end, unless whatever it works on is waiting.
working = _keeper.working
# Whether there is such work.
is_busy = _keeper.is_busy


def renew(tokens: list[str]) -> list[str]:
    """
    Extend the leases that are still ours, each to its deadline at most, and list them.

    A turn that another transaction has locked is left to the next renewal: waiting for it would cost the
    other turns their leases.
    """
    renewed = sql.rows(
        """
        WITH held AS (
            SELECT turn_id FROM turns
             WHERE lease_token = ANY(%(tokens)s::uuid[]) AND closed_at IS NULL
             ORDER BY turn_id
               FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE turns
           SET lease_expires_at = LEAST(statement_timestamp() + make_interval(secs => %(lease)s), deadline_at)
          FROM held
         WHERE turns.turn_id = held.turn_id
        RETURNING lease_token::text
        """,
        {"lease": settings.TURN_LEASE / 1000, "tokens": tokens},
    )
    return [row["lease_token"] for row in renewed]


def hand_back(tokens: list[str]) -> int:
    """Release turns that are not answered yet, so that others take them over at once; uncounted."""
    if not tokens:
        return 0
    return sql.execute(
        """
        UPDATE turns SET lease_token = NULL, lease_expires_at = statement_timestamp()
         WHERE lease_token = ANY(%s::uuid[]) AND state = 'claimed'
        """,
        [tokens],
    )


def defer(turn_id: str, token: str, seconds: float, until_age: float) -> bool:
    """
    Hand a turn back until `seconds` from now, at the latest until it is `until_age` seconds old.

    False if it is that old already; nothing is changed then.

    :raises LeaseLostError: if it is not ours any more
    """
    row = sql.row(
        """
        WITH mine AS (
            SELECT turn_id, created_at + make_interval(secs => %(age)s) AS latest
              FROM turns WHERE turn_id = %(turn)s AND lease_token = %(token)s AND state = 'claimed'
               FOR UPDATE),
        deferred AS (
            UPDATE turns
               SET not_before = LEAST(statement_timestamp() + make_interval(secs => %(seconds)s), latest),
                   lease_token = NULL, lease_expires_at = statement_timestamp()
              FROM mine
             WHERE turns.turn_id = mine.turn_id AND latest > statement_timestamp()
            RETURNING 1)
        SELECT EXISTS (SELECT 1 FROM deferred) AS is_deferred FROM mine
        """,
        {"turn": turn_id, "token": token, "seconds": seconds, "age": until_age},
    )
    if row is None:
        raise LeaseLostError
    return bool(row["is_deferred"])
