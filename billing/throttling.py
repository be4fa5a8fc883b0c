"""
How often a key may ask, and how often an address may guess keys: counted in Redis, in constant space.

Without Redis everybody is let through: being available is worth more here than being exact.
"""

import math
import time
from dataclasses import dataclass
from functools import lru_cache

import structlog
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from config.lib import redis

log = structlog.get_logger(__name__)

WINDOW = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands: of `limit` requests a minute `remaining` are left until `seconds` from now."""

    is_allowed: bool
    limit: int
    remaining: int
    seconds: int


def count(kind: str, who: str, *, limit: int) -> Standing | None:
    """Count one request; None if nobody can count now."""
    item = RateLimitItemPerMinute(limit)
    try:
        is_allowed = redis.call(_limiter().hit, item, kind, who)
        window = redis.call(_limiter().get_window_stats, item, kind, who)
    except redis.RedisUnavailableError:
        log.warning("throttling.not_counted", kind=kind)
        return None
    seconds = max(1, math.ceil(window.reset_time - time.time()))
    return Standing(is_allowed, limit, max(0, window.remaining), min(seconds, WINDOW))


def of_key(prefix: str) -> Standing | None:
    """Count a request of an API key."""
    return count("key", prefix, limit=settings.API_RATE_LIMIT)


def of_wrong_key(address: str) -> Standing | None:
    """Count a request with a wrong key."""
    return count("wrong-key", address, limit=settings.API_FAILURE_LIMIT)


@lru_cache(maxsize=1)
def _limiter() -> SlidingWindowCounterRateLimiter:
    # The address is not used: the pool knows where Redis is.
    return SlidingWindowCounterRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client().connection_pool, key_prefix="limits")
    )
