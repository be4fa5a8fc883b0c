"""
Readiness: what the service consists of, and the state of each part.

The answer is 503 only without what this process cannot work without: Postgres and its migrations. Redis and
the other roles degrade the service but lose nothing, so they are named and the answer stays 200.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from config.lib import heartbeat, redis, roles, sql
from config.lib.heartbeat import Beat

# Under a second in all, whatever hangs.
PATIENCE = 0.8
# A check that has not answered in time is slow if it succeeded so recently, else away.
RECENTLY = timedelta(seconds=30)

T = TypeVar("T")


class State(StrEnum):
    """The state of a part."""

    OK = "ok"
    SLOW = "slow"
    AWAY = "away"
    # Nothing can be known while Postgres is away.
    UNKNOWN = "unknown"


@dataclass
class Check(Generic[T]):
    """A check of one part. Its `probe` returns None, or raises, if the part is away."""

    probe: Callable[[], T | None]
    value: T | None = None
    ok_at: datetime | None = None
    _running: Future[bool] | None = field(default=None, repr=False)

    def begin(self) -> Future[bool]:
        """Start the check; one that still hangs from an earlier request goes on, so that none pile up."""
        if self._running is None or self._running.done():
            self._running = _pool.submit(self._run)
        return self._running

    def state(self) -> State:
        """Return the state after the time to wait is over."""
        if self._running is not None and self._running.done():
            return State.OK if self._running.result() else State.AWAY
        is_recent = self.ok_at is not None and self.ok_at > timezone.now() - RECENTLY
        return State.SLOW if is_recent else State.AWAY

    def _run(self) -> bool:
        try:
            value = self.probe()
        except (Error, redis.RedisUnavailableError):
            return False
        finally:
            connection.close()
        if value is None:
            return False
        self.value, self.ok_at = value, timezone.now()
        return True


_pool = ThreadPoolExecutor(8, thread_name_prefix="health")
_migrated: set[str] = set()


def _postgres() -> bool | None:
    """Check that Postgres answers and takes writes."""
    return sql.is_writable() or None


def _migrations() -> bool | None:
    """Check once: a process that saw all migrations applied need not look again."""
    if "done" not in _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return None
        _migrated.add("done")
    return True


def _redis() -> bool | None:
    return bool(redis.call(redis.client().ping)) or None


_CHECKS: dict[str, Check[bool]] = {
    "postgres": Check(_postgres),
    "migrations": Check(_migrations),
    "redis": Check(_redis),
}
_BEATS: Check[list[Beat]] = Check(heartbeat.read)


def report() -> tuple[int, dict[str, Any]]:
    """Run every check at once and return the status and the body of the answer."""
    wait([*(check.begin() for check in _CHECKS.values()), _BEATS.begin()], timeout=PATIENCE)
    parts = {name: check.state() for name, check in _CHECKS.items()}
    since = {name: _CHECKS[name].ok_at for name, state in parts.items() if state is not State.OK}
    unread: list[str] = []
    if _BEATS.state() is State.AWAY or _BEATS.value is None:
        parts |= dict.fromkeys(settings.HEALTH_ROLES, State.UNKNOWN)
    else:
        states, last = _roles(_BEATS.value, seen=_BEATS.state())
        parts, since = parts | states, since | last
        unread = unread_queues(_BEATS.value)
    is_able = all(parts[name] in {State.OK, State.SLOW} for name in ("postgres", "migrations"))
    is_whole = not unread and all(state is State.OK for state in parts.values())
    status = "unavailable" if not is_able else "ok" if is_whole else "degraded"
    body = {"status": status, "parts": parts, "since": since, "unread_queues": unread}
    return (HTTPStatus.OK if is_able else HTTPStatus.SERVICE_UNAVAILABLE), body


def _roles(beats: Iterable[Beat], *, seen: State) -> tuple[dict[str, State], dict[str, datetime | None]]:
    """
    Return the states of the expected roles, and when those that are not ok last were.

    `seen` is the state of the check that reads heartbeats: while it is slow, `beats` are the last ones read.
    """
    newest: dict[str, Beat] = {}
    for beat in sorted(beats, key=lambda beat: beat.beat_at):
        newest |= dict.fromkeys(roles_of(beat), beat)
    known = {role: newest.get(role) for role in settings.HEALTH_ROLES}
    states = {
        role: seen if beat is not None and beat.is_fresh else State.AWAY for role, beat in known.items()
    }
    last = {
        role: None if beat is None else beat.beat_at
        for role, beat in known.items()
        if states[role] is not State.OK
    }
    return states, last


def roles_of(beat: Beat) -> set[str]:
    """Return the roles of a process: a worker that reads the queues of several roles has all of them."""
    return {beat.role, *(roles.reader_of(queue) for queue in beat.queues or ())}


def unread_queues(beats: Iterable[Beat]) -> list[str]:
    """Return the queues of expected roles that no process reads."""
    fresh = [beat for beat in beats if beat.is_fresh]
    readers = {roles.reader_of(queue) for queue in roles.queues()}
    if any(beat.queues is None and beat.role in readers for beat in fresh):
        return []  # a process of an earlier version, which does not name its queues
    read = {queue for beat in fresh for queue in beat.queues or ()}
    expected = [queue for queue in roles.queues() if roles.reader_of(queue) in settings.HEALTH_ROLES]
    return [queue for queue in expected if queue not in read]
