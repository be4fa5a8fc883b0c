"""
How far a job came that walks a large table by its key, kept in Redis: the next run goes on there.

Without it a run begins anew, which only takes longer; so it is forgotten after a month, for rows that were
passed over.
"""

import contextlib

from config.lib import redis

_KEEP_SECONDS = 30 * 24 * 3600


def read(name: str) -> str:
    """Return the key that a job came to; empty = begin at the beginning."""
    try:
        found = redis.call(redis.client().get, _key(name))
    except redis.RedisUnavailableError:
        return ""
    return found.decode() if isinstance(found, bytes) else str(found or "")


def note(name: str, key: str) -> None:
    """Keep the key that a job came to; the first one sets when it is forgotten."""
    with contextlib.suppress(redis.RedisUnavailableError):
        client = redis.client()
        if not redis.call(client.set, _key(name), key, xx=True, keepttl=True):
            redis.call(client.set, _key(name), key, ex=_KEEP_SECONDS)


def _key(name: str) -> str:
    return f"progress:{name}"
