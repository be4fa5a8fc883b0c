"""
Limits on attempts to sign in, with a password or with a code.

Three counters see an attempt, and it is counted before anything is hashed or compared, so that parallel
attempts are no way around:

- a name from one address (or, where a browser has signed in as that name before, from that browser),
- an address, whatever the names: an IPv6 address counts by its /64 prefix,
- a name, from wherever. Browsers known for the name are exempt, so that a stranger who keeps this counter
  full does not lock out the person who works here.

A window begins with its first attempt and is not prolonged by later ones. The counters are in Redis, and in
the process while Redis is away.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial

import structlog
from django.http import HttpRequest
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter

from config.admin import client_address, known_browsers
from config.lib import redis

log = structlog.get_logger(__name__)

# A hash takes a third of a second of a core; more at once would keep all request threads busy.
PARALLEL_HASHES = 2
_hashing = threading.BoundedSemaphore(PARALLEL_HASHES)


@dataclass(frozen=True, slots=True)
class Policy:
    """How many attempts of a kind each counter allows, and in how many minutes."""

    kind: str
    by_pair: RateLimitItem
    by_address: RateLimitItem
    by_name: RateLimitItem


PASSWORD = Policy(
    kind="password",
    by_pair=RateLimitItemPerMinute(5, 15),
    by_address=RateLimitItemPerMinute(20, 15),
    by_name=RateLimitItemPerMinute(30, 15),
)
# Whoever gets here knows the password, and one of three codes in a million is right.
CODE = Policy(
    kind="code",
    by_pair=RateLimitItemPerMinute(5, 15),
    by_address=RateLimitItemPerMinute(20, 15),
    by_name=RateLimitItemPerMinute(10, 60),
)


class TooManyAttemptsError(Exception):
    """The attempt was refused; another may be made in `seconds`."""

    def __init__(self, seconds: int) -> None:
        minutes = math.ceil(seconds / 60)
        super().__init__(f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}.")
        self.seconds = seconds


class BusyError(TooManyAttemptsError):
    """Other people are signing in at this moment."""

    def __init__(self) -> None:
        super().__init__(2)
        self.args = ("Many people are signing in right now. Try again in a few seconds.",)


@dataclass(frozen=True, slots=True)
class _Counter:
    item: RateLimitItem
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted: where, and in which counters, that of name and address first."""

    hits: Sequence[tuple[FixedWindowRateLimiter, _Counter]]

    def succeed(self) -> None:
        """Forget earlier mistakes of this name and address, and undo the count elsewhere."""
        pair = self.hits[0][1]
        for limiter in {self.hits[0][0], _in_process()}:
            _correct(limiter, lambda counted: counted.clear(pair.item, pair.kind, pair.key))
        self._take_back(self.hits[1:])

    def cancel(self) -> None:
        """Take the attempt out of all counters: nothing was compared."""
        self._take_back(self.hits)

    @staticmethod
    def _take_back(hits: Sequence[tuple[FixedWindowRateLimiter, _Counter]]) -> None:
        for limiter, counter in hits:
            _correct(limiter, partial(_uncount, counter))


def count(policy: Policy, *, name: str, request: HttpRequest) -> Attempt:
    """
    Count an attempt to sign in.

    :raises TooManyAttemptsError: if a counter is full; the counters after it do not see the attempt
    """
    address = client_address.rate_limit_key(request)
    name = name.strip().lower()
    browser = known_browsers.recognize(request, name)
    counters = [
        _counter(policy, "pair", policy.by_pair, name, browser or address),
        _counter(policy, "address", policy.by_address, address),
    ]
    if not browser:
        counters.append(_counter(policy, "name", policy.by_name, name))
    return Attempt([(_hit(counter), counter) for counter in counters])


@contextmanager
def hashing(attempt: Attempt) -> Iterator[None]:
    """
    Hold one of the few places for hashing a password.

    :raises BusyError: if all are taken; the attempt is then not counted
    """
    if not _hashing.acquire(blocking=False):
        attempt.cancel()
        raise BusyError
    try:
        yield
    finally:
        _hashing.release()


def _counter(policy: Policy, what: str, item: RateLimitItem, *parts: str) -> _Counter:
    # Each part is hashed by itself: no name can pass for another name and address.
    digests = [hashlib.sha256(part.encode("utf-8", "replace")).hexdigest() for part in parts]
    return _Counter(item, f"admin-{policy.kind}-{what}", ".".join(digests))


def _hit(counter: _Counter) -> FixedWindowRateLimiter:
    """
    Count one, and return the limiter that did.

    :raises TooManyAttemptsError: if that was one too many
    """
    limiter = _in_redis()
    try:
        seconds = redis.call(_hit_in, limiter, counter)
    except redis.RedisUnavailableError:
        log.warning("admin.attempt_counted_in_process", kind=counter.kind)
        limiter = _in_process()
        seconds = _hit_in(limiter, counter)
    if seconds:
        log.warning("admin.attempt_refused", kind=counter.kind, retry_after_seconds=seconds)
        raise TooManyAttemptsError(seconds)
    return limiter


def _hit_in(limiter: FixedWindowRateLimiter, counter: _Counter) -> int:
    """Return 0 if the attempt is allowed, else the seconds until the window ends."""
    if limiter.hit(counter.item, counter.kind, counter.key):
        return 0
    window = limiter.get_window_stats(counter.item, counter.kind, counter.key)
    return max(1, math.ceil(window.reset_time - time.time()))


def _uncount(counter: _Counter, limiter: FixedWindowRateLimiter) -> None:
    limiter.hit(counter.item, counter.kind, counter.key, cost=-1)


def _correct(limiter: FixedWindowRateLimiter, change: Callable[[FixedWindowRateLimiter], object]) -> None:
    """Correct a counter; while Redis is away it stays too high, which is the safe side."""
    if limiter is _in_process():
        change(limiter)
        return
    with suppress(redis.RedisUnavailableError):
        redis.call(change, limiter)


@lru_cache(maxsize=1)
def _in_redis() -> FixedWindowRateLimiter:
    # The address is not used: the pool knows where Redis is.
    return FixedWindowRateLimiter(
        RedisStorage("redis://", connection_pool=redis.client().connection_pool, key_prefix="limits")
    )


@lru_cache(maxsize=1)
def _in_process() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())
