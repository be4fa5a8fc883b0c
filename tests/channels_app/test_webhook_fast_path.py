"""Webhooks on the event loop: messages and statuses are stored apart, so neither waits for the other."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from channels_app import ingest, webhook_fast_path
from channels_app.models import ChannelEvent, InboundMessage
from config.lib import locks
from config.lib.locks import Lock
from simulator import webhooks
from simulator.webhooks import Customer, Number
from tests.channels_app.conftest import SECRET

PERSON, NUMBER = Customer(), Number()
MESSAGE = webhooks.encode(
    webhooks.whatsapp_messages(
        [webhooks.whatsapp_message("text", {"body": "Hello"}, customer=PERSON, message_id="wamid.1")],
        customer=PERSON,
        number=NUMBER,
    )
)
STATUS = webhooks.encode(
    webhooks.whatsapp_statuses(
        [webhooks.whatsapp_status("read", message_id="wamid.2", customer=PERSON)],
        customer=PERSON,
        number=NUMBER,
    )
)


@pytest.fixture(autouse=True)
def _stores(valkey, transactional_db):
    ingest.postgres.succeeded()


async def receive(raw: bytes) -> int:
    headers = {"x-hub-signature-256": webhooks.sign(raw, SECRET), "content-type": "application/json"}
    status, _ = await webhook_fast_path.receive(raw=raw, headers=headers)
    return status


@contextmanager
def holding(take: Callable[[], object]) -> Iterator[None]:
    """Hold a lock of Postgres in a transaction of another thread."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            take()
            is_held.set()
            may_end.wait(60)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(60)
    try:
        yield
    finally:
        may_end.set()
        thread.join()


def lock_number() -> None:
    locks.take(Lock.INTAKE, NUMBER.phone_number_id)


def lock_events() -> None:
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE channel_events IN SHARE ROW EXCLUSIVE MODE")


async def receive_both(held: bytes, free: bytes, lock: Callable[[], object]) -> tuple[bool, list[int]]:
    """Post one webhook that has to wait for a lock and one that need not; return whether the first waited."""
    with holding(lock):
        waiting = asyncio.create_task(receive(held))
        await asyncio.sleep(0.1)
        status = await receive(free)
        has_waited = not waiting.done()
    return has_waited, [status, await waiting]


@pytest.mark.parametrize(
    ("held", "free", "lock"),
    [
        pytest.param(MESSAGE, STATUS, lock_number, id="status behind messages"),
        pytest.param(STATUS, MESSAGE, lock_events, id="message behind statuses"),
    ],
)
def test_webhook_does_not_wait_for_those_of_the_other_kind(held, free, lock):
    assert asyncio.run(receive_both(held, free, lock)) == (True, [200, 200])
    assert (InboundMessage.objects.count(), ChannelEvent.objects.count()) == (1, 1)
