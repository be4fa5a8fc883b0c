"""
Claiming: the only critical section. One short transaction under the number's advisory lock.

It takes up a turn whose holder died, before any new one (`opening`). A Redis lock stands in front, so that
contenders wait there and not with a connection of Postgres; nothing depends on it.
"""

import contextlib
import json
import threading
import uuid
import zlib
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db import transaction
from redis.exceptions import LockError
from redis.lock import Lock as RedisLock

from config.lib import locks, redis, sql
from config.lib.locks import Lock
from conversations import opening
from conversations.holding import Turn, held

# How long to stand in line in Redis, in seconds.
PATIENCE = 2.0
_lines = [threading.Lock() for _ in range(1024)]

log = structlog.get_logger(__name__)


def claim(*, phone_number_id: str) -> Turn | None:
    """Take up the number's next turn; None when nothing is due, or as many turns are open as may be."""
    with _queue(phone_number_id), transaction.atomic():
        locks.take(Lock.CLAIM, phone_number_id)
        token = str(uuid.uuid4())
        return _resume(phone_number_id, token) or opening.begin(phone_number_id, token)


@contextlib.contextmanager
def _queue(phone_number_id: str) -> Iterator[None]:
    """
    Stand in line, first in this process, then in Redis; after a while go on to the advisory lock anyway.

    Waiting in Redis is asking again and again, and waiting in Postgres holds a connection: of a process's
    hundreds of threads one is enough for that.
    """
    line = _lines[zlib.crc32(phone_number_id.encode()) % len(_lines)]
    with line, _queue_in_redis(phone_number_id):
        yield


@contextlib.contextmanager
def _queue_in_redis(phone_number_id: str) -> Iterator[None]:
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


# --- A turn whose holder died ------------------------------------------------------------------------


def _resume(phone_number_id: str, token: str) -> Turn | None:
    row = sql.row(
        _RESUME,
        {
            "number": phone_number_id,
            "token": token,
            "lease": settings.TURN_LEASE / 1000,
            "deadline": settings.TURN_DEADLINE / 1000,
        },
    )
    if row is None:
        return None
    row["snapshot"] = json.loads(row["snapshot"])  # Django leaves jsonb as text in raw queries
    log.warning("turn.resumed", turn_id=row["turn_id"], state=row["state"], attempts=row["attempts"])
    return held(row, token)


# A holder that handed its turn back left no token, and does not count.
_RESUME = """
    UPDATE turns
       SET attempts = attempts + (lease_token IS NOT NULL AND state = 'claimed')::int,
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           deadline_at = statement_timestamp() + make_interval(secs => %(deadline)s)
     WHERE turn_id = (SELECT turn_id
                        FROM turns
                       WHERE phone_number_id = %(number)s AND state IN ('claimed', 'answered')
                         AND lease_expires_at <= statement_timestamp()
                         AND (not_before IS NULL OR not_before <= statement_timestamp())
                       ORDER BY turn_id
                       LIMIT 1)
    RETURNING turn_id, phone_number_id, customer_id, conversation_id, state, attempts, snapshot
"""
