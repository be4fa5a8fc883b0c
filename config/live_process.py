"""The beginning, the end and the health of a `live` process."""

import asyncio
import math
import os
import resource
import signal
import time
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from channels_app.webchat.streams import StreamRegistry
from config.lib import event_loop, metrics
from config.lib.asgi import Receive, Send
from config.live_streams import Poller, PostgresAway, in_thread
from config.monitoring import process
from config.readiness import PATIENCE, RECENTLY, State

log = structlog.get_logger(__name__)

# For what a process has open besides streams.
_OTHER_FILES = 200


class Process:
    """One `live` process and its streams."""

    def __init__(self) -> None:
        self.streams = StreamRegistry(
            most=settings.LIVE_MAX_STREAMS, most_by_address=settings.LIVE_MAX_STREAMS_PER_ADDRESS
        )
        self.is_stopping = False
        self._postgres_ok_at = -math.inf
        self._watch = Poller(self.streams, redis_url=settings.REDIS_URL)

    async def live(self, receive: Receive, send: Send) -> None:
        """Begin when the server says so, and end when it does."""
        await receive()
        self._allow_open_files()
        self._watch.start()
        process.start("live")
        metrics.STREAMS.set_function(lambda: len(self.streams))
        lag = asyncio.create_task(event_loop.watch("requests"))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._watch.stop()
        lag.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _stop(self) -> None:
        """End every stream, so that the readers connect elsewhere, and then the process."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.streams.end_all()
        # The server would wait for the streams to end by themselves. Ours has taken the place of its handler
        # of this signal, but not of SIGINT's, which does the same.
        os.kill(os.getpid(), signal.SIGINT)

    def _allow_open_files(self) -> None:
        """Raise the limit of open files to one per stream, as far as the machine allows it."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.streams.most + _OTHER_FILES
        if hard not in {resource.RLIM_INFINITY, -1} and wanted > hard:
            self.streams.most = max(hard - _OTHER_FILES, 1)
            log.warning("live.few_files", streams=self.streams.most, files=hard)
            wanted = hard
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    async def health(self, *, is_ready: bool) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of a health response, as `web` does."""
        if not is_ready:
            return HTTPStatus.OK, {"status": "ok", "version": settings.APP_VERSION}
        parts = {
            "postgres": await self._postgres(),
            "redis": State.OK if self._watch.subscriber.is_connected else State.AWAY,
        }
        if self.is_stopping or parts["postgres"] is State.AWAY:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unavailable", "parts": parts}
        is_whole = all(state is State.OK for state in parts.values())
        return HTTPStatus.OK, {"status": "ok" if is_whole else "degraded", "parts": parts}

    async def _postgres(self) -> State:
        try:
            async with asyncio.timeout(PATIENCE):
                await in_thread(_ask)
        except TimeoutError:
            is_recent = time.monotonic() - self._postgres_ok_at < RECENTLY.total_seconds()
            return State.SLOW if is_recent else State.AWAY
        except PostgresAway:
            return State.AWAY
        self._postgres_ok_at = time.monotonic()
        return State.OK


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
