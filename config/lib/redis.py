"""
Redis behind a circuit breaker.

Nothing in it is the truth about anything, so each caller says what it does without it. After three failures
within ten seconds a process leaves Redis alone for ten seconds, then lets one probe through.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django_redis import get_redis_connection
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from config.lib.breaker import Breaker

P = ParamSpec("P")
T = TypeVar("T")

breaker = Breaker("redis")

# The spool of `channels_app.spool`, whose length is a metric: a list, and the size of what is in it.
SPOOL_KEY = "queue:messages"
SPOOL_BYTES_KEY = "queue:messages:bytes"


class RedisUnavailableError(Exception):
    """Redis did not answer, or the breaker is open because it did not a moment ago."""


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """
    Call a function that talks to Redis.

    :raises RedisUnavailableError: if it could not, or if the breaker is open
    """
    if not breaker.allows():
        raise RedisUnavailableError("breaker open")
    try:
        result = function(*args, **kwargs)
    except (RedisError, OperationalError, OSError) as error:
        breaker.failed()
        raise RedisUnavailableError(type(error).__name__) from error
    breaker.succeeded()
    return result


def client() -> Redis:
    """Return the process's Redis client; use it inside `call`."""
    connected: Redis = get_redis_connection("default")
    return connected
