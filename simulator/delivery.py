"""
Posts webhooks to the service under test, as Meta does: signed, and again when the answer is not 200.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from simulator import webhooks
from simulator.batches import Batches, Delivery
from simulator.behaviour import Behaviour
from simulator.environment import Environment
from simulator.exchange import Json
from simulator.http_client import HttpClient, NotAnsweredError
from simulator.journal import Journal
from simulator.phone_chats import Chats
from simulator.phone_webhooks import posted, posting

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
OK = 200


class Courier:
    """Posts webhooks, at once or later, and notes each attempt in the journal and on the phone."""

    def __init__(
        self, environment: Environment, journal: Journal, chats: Chats, behaviour: Callable[[], Behaviour]
    ) -> None:
        """Remember where to post and how to sign; the behaviour of the moment says how often and when."""
        self._url = environment.webhook_url
        self._secret = environment.webhook_secret
        self._journal = journal
        self._chats = chats
        self._behaviour = behaviour
        self._batches = Batches(self._post_as_often)
        self._client: HttpClient | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def post(self, document: Json, message_ids: Sequence[str]) -> Delivery:
        """Post one webhook; the phone shows at once what it tells, and then whether it was taken."""
        posting(self._chats, document)
        behaviour = self._behaviour()
        if behaviour.shuffle_seconds:
            await asyncio.sleep(behaviour.dice["webhooks"].uniform(0, behaviour.shuffle_seconds))
        if behaviour.batch_seconds:
            delivery = await self._batches.post(document, message_ids, behaviour.batch_seconds)
        else:
            delivery = await self._post_as_often(document, message_ids)
        is_taken, why = delivery.status == OK, delivery.error or str(delivery.status)
        posted(self._chats, document, is_taken=is_taken, why=why)
        return delivery

    async def _post_as_often(self, document: Json, message_ids: Sequence[str]) -> Delivery:
        """Post it once, or twice at once; then the first one's answer counts."""
        times = 2 if self._behaviour().deliver_twice else 1
        first, *_ = await asyncio.gather(*(self._post(document, message_ids) for _ in range(times)))
        return first

    async def _post(self, document: Json, message_ids: Sequence[str]) -> Delivery:
        if self._client is None:
            self._client = HttpClient(self._url)
        body = webhooks.encode(document)
        headers = webhooks.headers(body, self._secret)
        noted = {name.lower(): headers[name] for name in ("User-Agent", "X-Hub-Signature-256")}
        entry = self._journal.note("webhook", "POST", self._url.partition("?")[0], body, noted)
        entry.provider_ids = tuple(message_ids)
        try:
            delivery = Delivery(await self._client.post(body, headers))
        except NotAnsweredError as error:
            delivery = Delivery(None, str(error))
        self._journal.finish(entry, delivery.status, delivery.error)
        return delivery

    async def insist(self, document: Json, message_ids: Sequence[str]) -> None:
        """Post one webhook until it is answered 200, a few times at most."""
        for delay in (*RETRY_DELAYS, None):
            delivery = await self.post(document, message_ids)
            if delivery.status == OK or delay is None:
                return
            await asyncio.sleep(delay)

    def insist_later(self, delay: float, document: Json, message_ids: Sequence[str]) -> None:
        """Post one webhook after a while, in the background."""
        self._start(self._after(delay, document, message_ids))

    async def close(self) -> None:
        """Forget what was to be posted."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._batches.close()
        if self._client is not None:
            self._client.close()

    async def _after(self, delay: float, document: Json, message_ids: Sequence[str]) -> None:
        await asyncio.sleep(delay)
        await self.insist(document, message_ids)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
