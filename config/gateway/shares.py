"""
Shares of the request threads: slow requests of one business leave threads for all others.

A business, a web chat, or the admin may use MOST_THREADS threads of a process at a time. Its further requests
wait in order of arrival, and past MOST_WAITING they are refused.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from config.lib.api.problems import unavailable

log = structlog.get_logger(__name__)

# Of 16, so that it takes the slow requests of four businesses to use all.
MOST_THREADS = 4
# Of the 512 requests that `web` works on at a time.
MOST_WAITING = 100
_OWNER = re.compile(r"/(?:users|webchat)/[^/]*|/[^/]*")


@dataclass(slots=True)
class _Share:
    threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_THREADS))
    requests: int = 0


class Shares:
    """The shares of one process, by the part of the path that names their owner."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}

    def __len__(self) -> int:
        """Return how many owners have requests in progress."""
        return len(self._shares)

    @asynccontextmanager
    async def thread(self, owner: str, *, may_refuse: bool = True) -> AsyncIterator[None]:
        """
        Wait until an owner may use one more thread; without an owner there is nothing to wait for.

        :raises ProblemError: 503 if too many requests of the owner wait and `may_refuse`
        """
        if not owner:
            yield
            return
        share = self._shares.setdefault(owner, _Share())
        if may_refuse and share.requests >= MOST_THREADS + MOST_WAITING:
            log.warning("request.refused", reason="too many requests of one owner at a time")
            raise unavailable()
        share.requests += 1
        try:
            async with share.threads:
                yield
        finally:
            share.requests -= 1
            if not share.requests:
                del self._shares[owner]


def owner_of(path: str) -> str:
    """Return whose share a path uses: a business's, a web chat's, else that of its first part."""
    match = _OWNER.match(path)
    return match[0] if match else "/"
