"""Postgres advisory locks, held to the end of the transaction, taken in one order by everybody."""

import zlib
from enum import IntEnum

from config.lib import sql


class Lock(IntEnum):
    """What is being locked; the first half of the lock's key."""

    INTAKE = 1
    CLAIM = 2
    EVENTS = 3
    WEBHOOKS = 4


def take(lock: Lock, *names: str) -> None:
    """Wait for the locks on these names; needs a transaction."""
    keys = sorted({key(name) for name in names})
    sql.execute("SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) AS key", [lock.value, keys])


def try_take(lock: Lock, name: str) -> bool:
    """Take the lock on a name if nobody has it, and tell whether it was; needs a transaction."""
    row = sql.row("SELECT pg_try_advisory_xact_lock(%s, %s) AS is_mine", [lock.value, key(name)])
    return bool(row and row["is_mine"])


def key(name: str) -> int:
    """Return the second half of the key of a lock on a name."""
    return zlib.crc32(name.encode()) - 2**31
