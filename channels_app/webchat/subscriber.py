"""
Subscribes to Redis: one connection for all streams of a process, which reconnects for ever.

A notification that was published meanwhile is lost. So streams poll as well: now and then while connected,
often while not, and at once on reconnecting.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from channels_app.webchat import pubsub
from config.lib import redis

log = structlog.get_logger(__name__)

_PAUSE = 1.0
_PING_AFTER = 1.0
# A Redis that is frozen keeps the connection and says nothing, not even to a ping.
_SILENT_AFTER = 3.0
# Publishers avoid a Redis that was away for so long, even when we are connected again already.
_DOUBTFUL_FOR = redis.breaker.pause + 5


class Subscriber:
    """Calls `on_message` with the channel and kind of each notification, `on_doubt` if some may be lost."""

    def __init__(
        self, url: str, *, on_message: Callable[[str, str], None], on_doubt: Callable[[], None]
    ) -> None:
        self._url = url
        self._on_message = on_message
        self._on_doubt = on_doubt
        self._is_connected = False
        self._doubtful_until = 0.0
        self._heard_at = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Return whether Redis is reachable."""
        return self._is_connected

    @property
    def hears_all(self) -> bool:
        """Return whether every published notification arrives, as far as one can know."""
        return self._is_connected and time.monotonic() >= self._doubtful_until

    async def listen(self) -> None:
        """Listen for ever."""
        while True:
            try:
                async with self._client() as client, client.pubsub() as subscription:
                    await self._hear(subscription)
            except (RedisError, OSError, TimeoutError) as error:
                self._lost(type(error).__name__)
            except Exception:  # nobody would listen any more
                log.exception("live.not_listening")
                self._lost("fault")
            await asyncio.sleep(_PAUSE)

    async def _hear(self, subscription: PubSub) -> None:
        self._heard_at = time.monotonic()
        # Tasks of their own: redis-py's timeouts leave a task in a state in which it cannot be cancelled.
        tasks = [asyncio.create_task(self._read(subscription)), asyncio.create_task(self._ping(subscription))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def _read(self, subscription: PubSub) -> None:
        await subscription.psubscribe(pubsub.channel("*"))
        while True:
            message = await subscription.get_message(timeout=None)
            self._heard_at = time.monotonic()
            if message and message["type"] == "psubscribe":
                self._reconnected()
            elif message and message["type"] == "pmessage":
                self._on_message(message["channel"].decode(), message["data"].decode("utf-8", "replace"))

    async def _ping(self, subscription: PubSub) -> None:
        while time.monotonic() - self._heard_at < _SILENT_AFTER:
            await asyncio.sleep(_PING_AFTER)
            if self._is_connected:
                await subscription.ping()
        raise TimeoutError

    def _lost(self, reason: str) -> None:
        if self._is_connected or not self._doubtful_until:
            log.warning("live.redis_away", reason=reason)
            self._on_doubt()
        self._is_connected = False
        self._doubtful_until = time.monotonic() + _DOUBTFUL_FOR

    def _reconnected(self) -> None:
        if self._doubtful_until:
            log.warning("live.redis_back")
        self._is_connected = True
        self._on_doubt()

    def _client(self) -> Redis:
        # Without its own retries, which would connect anew and hide that notifications were lost.
        return Redis.from_url(
            self._url,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )
