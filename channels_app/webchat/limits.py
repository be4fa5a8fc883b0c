"""
How much visitors may do: by visitor, by address and by chat, and how much they may write a day in all.

Counted in Redis. While it is away each process counts for itself, to a quarter of each limit: whoever waits
for Redis to fail must not find the door open.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from channels_app.models import WebChat
from config.lib import redis

log = structlog.get_logger(__name__)

SESSIONS_BY_ADDRESS = 30
MESSAGES_BY_VISITOR = 20
MESSAGES_BY_ADDRESS = 60
MESSAGES_BY_CHAT = 600
FILES_BY_VISITOR = 10
FILES_BY_ADDRESS = 30
FILES_BY_CHAT = 200
READS_BY_ADDRESS = 600


class TooManyError(Exception):
    """It has to wait for `seconds`; `is_daily` if the chat's visitors have written enough for a day."""

    def __init__(self, seconds: int, *, is_daily: bool) -> None:
        super().__init__(f"try again in {seconds} seconds")
        self.seconds = seconds
        self.is_daily = is_daily


@dataclass(frozen=True, slots=True)
class _Limit:
    kind: str
    who: str
    item: RateLimitItem


def count_session(*, address: str) -> None:
    """
    Count somebody who begins a session.

    :raises TooManyError: if there were too many from this address
    """
    _count([_a_minute("web-session", address, SESSIONS_BY_ADDRESS)])


def count_read(*, address: str) -> None:
    """
    Count somebody who reads.

    :raises TooManyError: if there was too much from this address
    """
    _count([_a_minute("web-read", address, READS_BY_ADDRESS)])


def count_message(chat: WebChat, *, visitor_id: str, address: str) -> None:
    """
    Count a message; without an `address`, one that came from the business's server.

    :raises TooManyError: if it was too much
    """
    number = chat.phone_number_id
    _count(
        [
            _a_minute("web-visitor", f"{number}:{visitor_id}", MESSAGES_BY_VISITOR),
            *([_a_minute("web-address", address, MESSAGES_BY_ADDRESS)] if address else []),
            _a_minute("web-chat", number, MESSAGES_BY_CHAT),
            _Limit("web-day", number, RateLimitItemPerDay(chat.daily_limit)),
        ]
    )


def count_file(chat: WebChat, *, visitor_id: str, address: str) -> None:
    """
    Count a file.

    :raises TooManyError: if it was too much
    """
    number = chat.phone_number_id
    _count(
        [
            _a_minute("web-file-visitor", f"{number}:{visitor_id}", FILES_BY_VISITOR),
            _a_minute("web-file-address", address, FILES_BY_ADDRESS),
            _a_minute("web-file-chat", number, FILES_BY_CHAT),
            _Limit("web-file-day", number, RateLimitItemPerDay(chat.daily_limit)),
        ]
    )


def _a_minute(kind: str, who: str, limit: int) -> _Limit:
    return _Limit(kind, who, RateLimitItemPerMinute(limit))


def _count(limits: Sequence[_Limit]) -> None:
    """Count in each, the narrowest first: what one refuses is not counted in those behind it."""
    for limit in limits:
        try:
            seconds = redis.call(_hit, _in_redis(), limit.item, limit)
        except redis.RedisUnavailableError:
            log.warning("webchat.counted_here", kind=limit.kind)
            seconds = _hit(_in_process(), _quarter(limit.item), limit)
        if seconds:
            log.warning("webchat.too_many", kind=limit.kind)
            raise TooManyError(seconds, is_daily=limit.kind.endswith("-day"))


def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, limit: _Limit) -> int:
    """Count one; give how long to wait if it was too much, else 0."""
    # The library takes a limit of nothing for a mistake.
    if item.amount > 0 and limiter.hit(item, limit.kind, limit.who):
        return 0
    if item.amount <= 0:
        return item.get_expiry()
    window = limiter.get_window_stats(item, limit.kind, limit.who)
    return max(1, math.ceil(window.reset_time - time.time()))


def _quarter(item: RateLimitItem) -> RateLimitItem:
    return type(item)(item.amount // 4)


@lru_cache(maxsize=1)
def _in_redis() -> SlidingWindowCounterRateLimiter:
    # The address is not used: the pool knows where Redis is.
    return SlidingWindowCounterRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client().connection_pool, key_prefix="limits")
    )


@lru_cache(maxsize=1)
def _in_process() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())
