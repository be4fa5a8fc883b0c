"""
Read-through hints in Redis, for REDIS_TTL_DEFAULT seconds unless told otherwise.

Never the truth: what depends on a value looks again in Postgres under its lock. Without Redis every read goes
to Postgres.
"""

import json
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import transaction

from config.lib import redis

T = TypeVar("T")


def get_or_read(key: str, read: Callable[[], T], *, ttl: int | None = None) -> T:
    """Return the cached value, else the result of `read`, cached for `ttl` seconds unless it is None."""
    try:
        kept = redis.call(redis.client().get, key)
    except redis.RedisUnavailableError:
        return read()
    if kept is not None:
        value: T = json.loads(kept)
        return value
    value = read()
    if value is not None:
        _quietly(lambda: redis.client().set(key, json.dumps(value), ex=ttl or settings.REDIS_TTL_DEFAULT))
    return value


def drop(*keys: str) -> None:
    """Forget these keys once the transaction commits."""
    transaction.on_commit(lambda: _quietly(lambda: redis.client().delete(*keys)), robust=True)


def _quietly(function: Callable[[], object]) -> None:
    try:
        redis.call(function)
    except redis.RedisUnavailableError:
        return
