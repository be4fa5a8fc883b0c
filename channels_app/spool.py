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

KEY = redis.SPOOL_KEY
BYTES_KEY = redis.SPOOL_BYTES_KEY
# How much is read at once, in bytes.
MOST_BYTES = 8 * 1024 * 1024

# Whose format a body has: Meta's, our own for messages of web chat visitors, or the spool's for an entry that
# could not be decoded.
META = "meta"
WEBCHAT = "webchat"
ENTRY = "spool"

_APPEND = """
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or 0) + #ARGV[1] > tonumber(ARGV[3]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('INCRBY', KEYS[2], #ARGV[1])
return 1
"""
# The first one whatever its size, and those behind it as far as all fit.
_ENTRIES = """
local found, size = {}, 0
for position = ARGV[1], ARGV[1] + ARGV[2] - 1 do
  local entry = redis.call('LINDEX', KEYS[1], position)
  if not entry then break end
  size = size + #entry
  if size > tonumber(ARGV[3]) and #found > 0 then break end
  found[#found + 1] = entry
end
return found
"""
# By value and not by position: if two empty it at once, neither removes what the other has not stored.
_REMOVE = """
for _, entry in ipairs(ARGV) do
  if redis.call('LREM', KEYS[1], 1, entry) == 1 then redis.call('DECRBY', KEYS[2], #entry) end
end
if redis.call('LLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
"""


# What this process saw last.
_was_in_use = [False]


class SpoolFullError(Exception):
    """As much waits as may wait; the sender has to keep it."""


class UndecodableError(ValueError):
    """An entry is not in the form in which this version writes them."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook's body as it came, its signature already checked."""

    raw: bytes
    received_at: datetime
    correlation_id: str
    source: str = META


def is_in_use() -> bool:
    """
    Return whether any file waits; new webhooks then wait behind it.

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


def first() -> tuple[bytes, Waiting] | None:
    """
    Return the entry that waits longest, and its content; None when nothing waits.

    :raises UndecodableError: if it cannot be decoded
    :raises RedisUnavailableError: if Redis does not answer
    """
    for entry in entries(0, most=1):
        return entry, decode(entry)
    return None


def entries(position: int, *, most: int) -> list[bytes]:
    """
    Return up to `most` entries as they wait, from a position on, 0 being the oldest.

    They have MOST_BYTES together at most; a larger one is returned alone.

    :raises RedisUnavailableError: if Redis does not answer
    """
    entries = redis.call(redis.client().eval, _ENTRIES, 1, KEY, position, most, MOST_BYTES)
    return [entry.encode() if isinstance(entry, str) else entry for entry in entries]


def decode(entry: bytes) -> Waiting:
    """
    Read an entry.

    :raises UndecodableError: if it is damaged, or was written by a version that writes another form
    """
    try:
        fields = json.loads(entry)
        return Waiting(
            raw=base64.b64decode(fields["raw"], validate=True),
            received_at=datetime.fromisoformat(fields["received_at"]),
            correlation_id=str(fields["correlation_id"]),
            source=str(fields.get("source", META)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UndecodableError(type(error).__name__) from error


def remove(*stored: bytes) -> None:
    """
    Take entries off the line once they are stored elsewhere.

    :raises RedisUnavailableError: if Redis goes away
    """
    redis.call(redis.client().eval, _REMOVE, 2, KEY, BYTES_KEY, *stored)
