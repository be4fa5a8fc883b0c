"""
Locks on numbers in Redis, for several processes that want to claim on the same number.

They spare Postgres the crowd; what makes a claim exclusive is the lock in Postgres, and nothing depends on
these. Each lasts for LIFETIME if its holder dies.
"""

import uuid
from collections.abc import Sequence

from config.lib import redis

# Milliseconds; longer than any claim takes.
LIFETIME = 5000
# Deletes a lock only if it is still the caller's.
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


def acquire(numbers: Sequence[str]) -> dict[str, str]:
    """Lock those of the numbers that nobody has locked, in one round trip; return a token for each."""
    tokens = {number: str(uuid.uuid4()) for number in numbers}
    with redis.client().pipeline(transaction=False) as pipeline:
        for number, token in tokens.items():
            pipeline.set(_key(number), token, nx=True, px=LIFETIME)
        try:
            answers = redis.call(pipeline.execute)
        except redis.RedisUnavailableError:
            return tokens
    return {
        number: token for (number, token), is_ours in zip(tokens.items(), answers, strict=True) if is_ours
    }


def release(tokens: dict[str, str]) -> None:
    """Release locks, in one round trip; without Redis they expire."""
    with redis.client().pipeline(transaction=False) as pipeline:
        for number, token in tokens.items():
            pipeline.eval(_RELEASE, 1, _key(number), token)
        try:
            redis.call(pipeline.execute)
        except redis.RedisUnavailableError:
            return


def _key(number: str) -> str:
    return f"lock:phone:{number}"
