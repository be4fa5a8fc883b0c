"""
Moves what waits in the spool into Postgres, oldest first. No entry can hold up those behind it.

Entries are stored in batches. Where a batch cannot be stored, its entries are stored one by one. One that
cannot be decoded, read or stored becomes a dead letter. One that Postgres keeps turning away as if it were
away, although it is not, does so after some attempts. One of which not even a dead letter can be stored stays
where it is, and those behind it go on.
"""

import hashlib
import time

import structlog
from django.utils import timezone

from channels_app import dead_letters, ingest, spool
from channels_app.meta.types import Problem
from config.lib import errors, failpoints, sql

log = structlog.get_logger(__name__)

# How many entries are stored in one transaction.
BATCH = 100
# How long one drain lasts, in seconds. It ends in time for the sweeper to keep its lease and its heartbeat.
LONGEST = 3.0
# So often the same entry is tried while Postgres answers everything else.
MAX_ATTEMPTS = 5
# So many entries are passed over at most; each is tried again by the next drain.
MAX_PASSED = 100


class _Attempts:
    """How often in a row one entry met a Postgres that seemed to be away."""

    def __init__(self) -> None:
        self._digest = b""
        self._count = 0

    def failed(self, entry: bytes) -> int:
        digest = hashlib.sha256(entry).digest()
        self._count = self._count + 1 if digest == self._digest else 1
        self._digest = digest
        return self._count


_attempts = _Attempts()


def drain() -> int:
    """
    Store what waits in the spool, for LONGEST seconds at most; return how many entries were stored.

    :raises RedisUnavailableError: if Redis does not answer
    :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
    """
    drained = passed = 0
    ends_at = time.monotonic() + LONGEST
    while passed < MAX_PASSED and (entries := spool.entries(passed, most=BATCH)):
        moved = _move(entries)
        drained += moved
        passed += len(entries) - moved
        if time.monotonic() > ends_at:
            break
    if drained:
        log.warning("spool.drained", webhooks=drained, left=passed)
    return drained


def _move(entries: list[bytes]) -> int:
    """Store entries in Postgres and take them off the spool; return how many were moved."""
    if _are_stored(entries):
        failpoints.reach("P19")
        spool.remove(*entries)
        return len(entries)
    moved = 0
    for entry in entries:
        if _is_moved(entry):
            failpoints.reach("P19")
            spool.remove(entry)
            moved += 1
    return moved


def _are_stored(entries: list[bytes]) -> bool:
    """Store several entries in one transaction; return False if one of them is in the way."""
    if len(entries) == 1:
        return False
    try:
        ingest.store([_arrived(entry) for entry in entries])
    except Exception as error:  # noqa: BLE001  (one by one, each meets its own error)
        log.info("spool.batch_refused", error=errors.summary(error), entries=len(entries))
        sql.discard_if_read_only(error)
        return False
    return True


def _is_moved(entry: bytes) -> bool:
    """Store an entry in Postgres, whole or as a dead letter."""
    try:
        try:
            ingest.store([_arrived(entry)])
        except Exception as error:
            if sql.is_unavailable(error) and _attempts.failed(entry) < MAX_ATTEMPTS:
                raise
            _bury(entry, f"not stored: {errors.summary(error)}")
    except Exception as error:
        if sql.is_unavailable(error):
            raise
        log.error("spool.entry_passed_over", error=errors.summary(error), size=len(entry))
        return False
    return True


def _arrived(entry: bytes) -> ingest.Arrived:
    waiting = spool.decode(entry)
    with structlog.contextvars.bound_contextvars(correlation_id=waiting.correlation_id):
        return ingest.arrived(waiting.raw, now=waiting.received_at, source=waiting.source)


def _bury(entry: bytes, reason: str) -> None:
    """Keep an entry as a dead letter: its body, or the entry itself if it cannot be decoded."""
    try:
        waiting = spool.decode(entry)
    except spool.UndecodableError:
        waiting = spool.Waiting(entry, timezone.now(), correlation_id="", source=spool.ENTRY)
    dead_letters.keep(
        waiting.raw,
        source=waiting.source,
        received_at=waiting.received_at,
        problems=[Problem(reason, item=None)],
        correlation_id=waiting.correlation_id,
    )
