"""Postgres advisory locks, held to the end of the transaction, taken in one order by everybody."""

import zlib
from enum import IntEnum

from config.lib import sql


class Lock(IntEnum):
    """What is being locked; the first half of the lock's key."""

    INTAKE = 1
    CLAIM = 2
    EVENTS = 3


def take(lock: Lock, *names: str) -> None:
    """Wait for the locks on these names; needs a transaction."""
    keys = sorted({zlib.crc32(name.encode()) - 2**31 for name in names})
    sql.execute("SELECT pg_advisory_xact_lock(%s, key) FROM unnest(%s::int[]) AS key", [lock.value, keys])
