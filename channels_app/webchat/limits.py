"""
Rate limits of visitors: by visitor, by address and by chat; a minute and a day, in messages and in bytes.

Counted in Redis. While it is away each process counts for itself, to a quarter of each limit: whoever waits
for Redis to fail must not find the door open.
"""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog
from django.conf import settings
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
# Server messages with a wrong signature.
REFUSALS_BY_ADDRESS = 300
# Nobody uses up a chat's day from one address. Small limits leave room for a talk all the same.
ADDRESS_SHARE = 10
LEAST_A_DAY_BY_ADDRESS = 20
# Pictures that an anonymous visitor may send before the first reply. More than one: a chat often begins with
# photos of a broken thing from several sides.
PICTURES_BEFORE_REPLY = 3
# How soon to look whether there is a reply.
_REPLY_SECONDS = 60

THROTTLED = "throttled"
DAILY = "daily_limit_reached"
ADDRESS_DAILY = "address_limit_reached"
PICTURE_BYTES = "picture_limit_reached"
REPLY_AWAITED = "reply_awaited"


class TooManyError(Exception):
    """A limit is reached: try again in `seconds`. `code` names the limit as the API does."""

    def __init__(self, seconds: int, *, code: str = THROTTLED) -> None:
        super().__init__(f"try again in {seconds} seconds")
        self.seconds = seconds
        self.code = code

    @property
    def is_daily(self) -> bool:
        """Return whether the chat's visitors have written as much as they may in a day."""
        return self.code == DAILY


@dataclass(frozen=True, slots=True)
class _Limit:
    kind: str
    who: str
    item: RateLimitItem
    code: str = THROTTLED
    cost: int = 1


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
            *([_address_a_day(chat, address)] if address else []),
            _a_day("web-day", number, chat.daily_limit, DAILY),
        ]
    )


def count_file(chat: WebChat, *, visitor_id: str, address: str, size_bytes: int, has_reply: bool) -> None:
    """
    Count an announced picture, and check that its bytes still fit into the day's, which it does not count.

    :param has_reply: whether the visitor needs no reply (any more) before further pictures
    :raises TooManyError: if it was too much
    """
    number = chat.phone_number_id
    visitor = f"{number}:{visitor_id}"
    for limit in _bytes_a_day(chat, address=address, size_bytes=size_bytes):
        _check(limit)
    _count(
        [
            _a_minute("web-file-visitor", visitor, FILES_BY_VISITOR),
            _a_minute("web-file-address", address, FILES_BY_ADDRESS),
            _a_minute("web-file-chat", number, FILES_BY_CHAT),
            *(
                []
                if has_reply
                else [_a_day("web-file-unreplied", visitor, PICTURES_BEFORE_REPLY, REPLY_AWAITED)]
            ),
            _a_day("web-file-day", number, chat.daily_limit, DAILY),
        ]
    )


def check_refusals(*, address: str) -> None:
    """
    Check how many server messages of an address had a wrong signature in the last minute.

    :raises TooManyError: if there were too many
    """
    _check(_a_minute("web-refused", address, REFUSALS_BY_ADDRESS))


def count_refusal(*, address: str) -> None:
    """Count a server message with a wrong signature."""
    with contextlib.suppress(TooManyError):
        _count([_a_minute("web-refused", address, REFUSALS_BY_ADDRESS)])


def count_file_bytes(chat: WebChat, *, address: str, size_bytes: int) -> None:
    """
    Count the bytes of a received picture: a client that announces much and sends little uses up nothing.

    :raises TooManyError: if they are more than the day's; the picture is not to be stored
    """
    if size_bytes:
        _count(_bytes_a_day(chat, address=address, size_bytes=size_bytes))


def _bytes_a_day(chat: WebChat, *, address: str, size_bytes: int) -> list[_Limit]:
    per_address, per_chat = settings.WEBCHAT_DAILY_ADDRESS_BYTES, settings.WEBCHAT_DAILY_CHAT_BYTES
    return [
        _a_day("web-file-bytes-address", address, per_address, PICTURE_BYTES, cost=size_bytes),
        _a_day("web-file-bytes-chat", chat.phone_number_id, per_chat, PICTURE_BYTES, cost=size_bytes),
    ]


def _address_a_day(chat: WebChat, address: str) -> _Limit:
    most = max(LEAST_A_DAY_BY_ADDRESS, chat.daily_limit // ADDRESS_SHARE)
    return _a_day("web-address-day", f"{chat.phone_number_id}:{address}", most, ADDRESS_DAILY)


def _a_day(kind: str, who: str, limit: int, code: str, *, cost: int = 1) -> _Limit:
    return _Limit(kind, who, RateLimitItemPerDay(limit), code, cost)


def _a_minute(kind: str, who: str, limit: int) -> _Limit:
    return _Limit(kind, who, RateLimitItemPerMinute(limit))


def _count(limits: Sequence[_Limit]) -> None:
    """Count in each, the narrowest first: what one refuses is not counted in those behind it."""
    for limit in limits:
        _apply(_hit, limit)


def _check(limit: _Limit) -> None:
    """Check a limit without counting."""
    _apply(_test, limit)


def _apply(
    act: Callable[[SlidingWindowCounterRateLimiter, RateLimitItem, _Limit], int], limit: _Limit
) -> None:
    try:
        seconds = redis.call(act, _in_redis(), limit.item, limit)
    except redis.RedisUnavailableError:
        log.warning("webchat.counted_here", kind=limit.kind)
        seconds = act(_in_process(), _quarter(limit.item), limit)
    if seconds:
        log.warning("webchat.too_many", kind=limit.kind)
        raise TooManyError(_REPLY_SECONDS if limit.code == REPLY_AWAITED else seconds, code=limit.code)


def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, limit: _Limit) -> int:
    """Count one; give how long to wait if it was too much, else 0."""
    # The library takes a limit of nothing for a mistake.
    if item.amount > 0 and limiter.hit(item, limit.kind, limit.who, cost=limit.cost):
        return 0
    return _seconds_left(limiter, item, limit)


def _test(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, limit: _Limit) -> int:
    """Return how long to wait if one more would be too much, else 0."""
    if item.amount > 0 and limiter.test(item, limit.kind, limit.who, cost=limit.cost):
        return 0
    return _seconds_left(limiter, item, limit)


def _seconds_left(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, limit: _Limit) -> int:
    if item.amount <= 0:
        return item.get_expiry()
    window = limiter.get_window_stats(item, limit.kind, limit.who)
    return max(1, math.ceil(window.reset_time - time.time()))


def _quarter(item: RateLimitItem) -> RateLimitItem:
    # Rounded up: of a limit of one, one is left.
    return type(item)(-(-item.amount // 4))


@lru_cache(maxsize=1)
def _in_redis() -> SlidingWindowCounterRateLimiter:
    # The address is not used: the pool knows where Redis is.
    return SlidingWindowCounterRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client().connection_pool, key_prefix="limits")
    )


@lru_cache(maxsize=1)
def _in_process() -> SlidingWindowCounterRateLimiter:
    return SlidingWindowCounterRateLimiter(MemoryStorage())
