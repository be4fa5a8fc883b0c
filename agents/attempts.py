"""
Trying again: at most OPENAI_MAX_RETRIES times in all, never past the deadline, longer apart each time.

What is no failure, a conversation that somebody else works on, is waited out and not counted.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from django.conf import settings
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_exponential_jitter

from agents.openai_client import BreakerOpenError
from config.lib.errors import UnavailableError

T = TypeVar("T")
log = structlog.get_logger(__name__)

# A longer Retry-After is not waited for here: the caller comes again.
LONGEST_PAUSE = 10.0
_LOCKED = "conversation_locked"
_LOCKED_PAUSE = 1.0
_backoff = wait_exponential_jitter(multiplier=0.5, max=8, jitter=0.5)


async def retried(attempt: Callable[[], Awaitable[T]], deadline: float) -> T:
    """
    Attempt something until it is done; `deadline` is on the monotonic clock.

    :raises UnavailableError: the last attempt's, when there is no other
    """
    failed = 0

    async def counted() -> T:
        nonlocal failed
        try:
            return await attempt()
        except UnavailableError as error:
            failed += error.code != _LOCKED
            raise

    retrying = AsyncRetrying(
        retry=retry_if_exception(_is_worth_another),
        stop=lambda state: (
            failed >= settings.OPENAI_MAX_RETRIES
            or _pause(state) > LONGEST_PAUSE
            or time.monotonic() + _pause(state) >= deadline
        ),
        wait=_pause,
        before_sleep=_announce,
        reraise=True,
    )
    return await retrying(counted)


def _is_worth_another(error: BaseException) -> bool:
    is_final = isinstance(error, BreakerOpenError) or getattr(error, "code", "") == "deadline"
    return isinstance(error, UnavailableError) and not is_final


def _pause(state: RetryCallState) -> float:
    """Wait as long as asked by Retry-After, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, UnavailableError):
        return 0
    if error.retry_after is not None:
        return error.retry_after
    return _LOCKED_PAUSE if error.code == _LOCKED else _backoff(state)


def _announce(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning(
        "llm.retrying", attempt=state.attempt_number, reason=str(error), code=getattr(error, "code", "")
    )
