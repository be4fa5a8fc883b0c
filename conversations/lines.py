"""
Standing in line for a number: first within this process, then, if another process claims, in Redis.

It only spares Postgres the crowd; nothing depends on it.
"""

import contextlib
import threading
import zlib
from collections.abc import Iterator

from redis.exceptions import LockError
from redis.lock import Lock as RedisLock

from config.lib import redis

# How long to stand in line in Redis, in seconds.
PATIENCE = 2.0


class Line:
    """The line of this process's threads for the numbers of one slot."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0

    @property
    def others_stand(self) -> bool:
        """Tell whether somebody will claim right after us."""
        return self.waiting > 1


_lines = [Line() for _ in range(1024)]
_counting = threading.Lock()


@contextlib.contextmanager
def stand(phone_number_id: str) -> Iterator[Line]:
    """
    Stand in line within this process.

    Waiting in Redis is asking again and again, and waiting in Postgres holds a connection: of a process's
    hundreds of threads one is enough for that.
    """
    line = _lines[zlib.crc32(phone_number_id.encode()) % len(_lines)]
    with _counting:
        line.waiting += 1
    try:
        with line.lock:
            yield line
    finally:
        with _counting:
            line.waiting -= 1


@contextlib.contextmanager
def stand_in_redis(phone_number_id: str) -> Iterator[None]:
    """Let one process at a time wait for the number in Postgres; without Redis, all of them."""
    lock = redis.client().lock(
        f"lock:phone:{phone_number_id}", timeout=5, sleep=0.01, blocking_timeout=PATIENCE
    )
    try:
        is_mine = redis.call(lock.acquire)
    except redis.RedisUnavailableError:
        is_mine = False
    try:
        yield
    finally:
        if is_mine:
            with contextlib.suppress(redis.RedisUnavailableError):
                redis.call(_leave, lock)


def _leave(lock: RedisLock) -> None:
    with contextlib.suppress(LockError):  # it ran out in the meantime
        lock.release()
