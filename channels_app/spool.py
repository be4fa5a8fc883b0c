"""
The spool: where webhooks wait in Redis while Postgres cannot be written.

While it holds anything every webhook goes through it, so that order holds; the sweeper empties it, oldest
first. Bounded in number and bytes: what does not fit is refused, and Meta keeps it. Redis needs
`appendonly yes` for this to be a promise.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings

from config.lib import ids, redis

log = structlog.get_logger(__name__)

KEY = "queue:messages"
BYTES_KEY = "queue:messages:bytes"

# Whose words a body is in: Meta's, or our own for what visitors of web chats write.
META = "meta"
WEBCHAT = "webchat"

_APPEND = """
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or 0) + #ARGV[1] > tonumber(ARGV[3]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('INCRBY', KEYS[2], #ARGV[1])
return 1
"""
# By value and not by position: if two empty it at once, neither removes what the other has not stored.
_REMOVE = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2])
else redis.call('DECRBY', KEYS[2], #ARGV[1]) end
return 1
"""


# What this process saw last.
_was_in_use = [False]


class SpoolFullError(Exception):
    """As much waits as may wait; the sender has to keep it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook's body as it came, its signature already checked."""

    raw: bytes
    received_at: datetime
    correlation_id: str
    source: str = META


def is_in_use() -> bool:
    """
    Tell whether anything waits, so that whatever comes now must wait behind it.

    While Redis does not say, what it said last is taken to hold: nothing may overtake what waits in there.
    """
    try:
        _was_in_use[0] = bool(redis.call(redis.client().exists, KEY))
    except redis.RedisUnavailableError:
        log.debug("spool.unknown", was_in_use=_was_in_use[0])
    return _was_in_use[0]


def append(waiting: Waiting) -> None:
    """
    Put a webhook at the end of the line.

    :raises SpoolFullError: if it does not fit
    :raises RedisUnavailableError: if Redis does not take it
    """
    entry = json.dumps(
        {
            "id": ids.new("spl"),
            "raw": base64.b64encode(waiting.raw).decode(),
            "received_at": waiting.received_at.isoformat(),
            "correlation_id": waiting.correlation_id,
            "source": waiting.source,
        }
    )
    limits = [settings.REDIS_QUEUE_MAX_SIZE, settings.REDIS_QUEUE_MAX_BYTES]
    if not redis.call(redis.client().eval, _APPEND, 2, KEY, BYTES_KEY, entry, *limits):
        raise SpoolFullError
    _was_in_use[0] = True


def first() -> tuple[bytes | str, Waiting] | None:
    """
    Give the entry that waits longest, and what it says; None when nothing waits.

    :raises RedisUnavailableError: if Redis does not say
    """
    entry = redis.call(redis.client().lindex, KEY, 0)
    if entry is None:
        return None
    found = json.loads(entry)
    return entry, Waiting(
        raw=base64.b64decode(found["raw"]),
        received_at=datetime.fromisoformat(found["received_at"]),
        correlation_id=found["correlation_id"],
        source=found.get("source", META),
    )


def remove(entry: bytes | str) -> None:
    """
    Take an entry off the line once it is stored elsewhere.

    :raises RedisUnavailableError: if Redis goes away
    """
    redis.call(redis.client().eval, _REMOVE, 2, KEY, BYTES_KEY, entry)
