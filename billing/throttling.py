"""
Rate limits by API key, by business and, for wrong keys, by address: counted in Redis, in constant space.

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
    # What is counted: `key` or `business`.
    policy: str = "key"


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
    return Standing(is_allowed, limit, max(0, window.remaining), min(seconds, WINDOW), kind)


def of_caller(*, prefix: str, user_id: str | None) -> Standing | None:
    """
    Count a request of an API key, and of its business; return the tighter of both.

    A request that the key's limit refuses does not count for the business: one program that asks too often
    must not use up the share of the others. Operators have no limit beside their key's.
    """
    of_key = count("key", prefix, limit=settings.API_RATE_LIMIT)
    if user_id is None or of_key is None or not of_key.is_allowed:
        return of_key
    of_business = count("business", user_id, limit=settings.API_BUSINESS_RATE_LIMIT)
    if of_business is None:
        return of_key
    return min(of_key, of_business, key=lambda standing: (standing.is_allowed, standing.remaining))


def of_wrong_key(address: str) -> Standing | None:
    """Count a request with a wrong key."""
    return count("wrong-key", address, limit=settings.API_FAILURE_LIMIT)


@lru_cache(maxsize=1)
def _limiter() -> SlidingWindowCounterRateLimiter:
    # The address is not used: the pool knows where Redis is.
    return SlidingWindowCounterRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client().connection_pool, key_prefix="limits")
    )
