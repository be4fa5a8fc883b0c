"""
The load generator, a process of its own: `python -m tests.load.generator '<order as JSON>'`.

Open loop: each message leaves at its planned time, however the ones before it fare. It says on stdout when it
will start, and when it has finished writes what happened to the order's `result` file.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from simulator import identifiers, webhooks
from simulator.exchange import Json
from tests.load.connections import Poster
from tests.load.pictures import PICTURE
from tests.load.plan import Load, Planned, customer, planned, text

# Bodies hold the second they were sent, so the start is fixed before they are built.
_LEAD_SECONDS = 0.5
_BUILD_SECONDS = 0.0002
_FIRST_CONNECTIONS = 16


@dataclass(frozen=True)
class Order:
    """What to post where."""

    url: str
    secret: str
    load: Load
    result: str

    @classmethod
    def read(cls, words: str) -> "Order":
        parts = json.loads(words)
        return cls(**parts | {"load": Load(**parts["load"])})

    def words(self) -> str:
        return json.dumps(asdict(self))


def main(order: Order) -> None:
    messages = planned(order.load)
    start = time.time() + _LEAD_SECONDS + len(messages) * _BUILD_SECONDS
    requests = [_request(order, message, sent_at=int(start + message.offset)) for message in messages]
    gc.collect()
    gc.freeze()
    uvloop.run(_run(order, messages, requests, start))


async def _run(order: Order, messages: list[Planned], requests: list[bytes], start: float) -> None:
    parts = urlsplit(order.url)
    assert parts.hostname is not None
    assert parts.port is not None
    poster = Poster(parts.hostname, parts.port, requests)
    await poster.open(_FIRST_CONNECTIONS)
    start = max(start, time.time())
    sys.stdout.write(json.dumps({"start": start}) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(start - time.time())
    cpu = time.process_time()
    for place, message in enumerate(messages):
        ahead = start + message.offset - time.time()
        if ahead > 0:
            await asyncio.sleep(ahead)
        elif place % 64 == 0:
            await asyncio.sleep(0)
        poster.post(place)
    await poster.finish()
    outcome = {"start": start, "cpu": time.process_time() - cpu, **asdict(poster.outcomes)}
    Path(order.result).write_text(json.dumps(outcome))


def _request(order: Order, message: Planned, *, sent_at: int) -> bytes:
    body = webhooks.encode(webhook(order.load, message, sent_at=sent_at))
    parts = urlsplit(order.url)
    head = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in webhooks.headers(body, order.secret).items()]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def webhook(load: Load, message: Planned, *, sent_at: int) -> Json:
    """Build the webhook that brings a message: a text, or a picture with the text as its caption."""
    writer = customer(message.customer)
    kind, content = "text", {"body": text(message.token)}
    if message.is_picture:
        kind, content = "image", PICTURE.content(caption=text(message.token))
    element = webhooks.whatsapp_message(
        kind, content, customer=writer, message_id=identifiers.wamid(writer.wa_id), sent_at=sent_at
    )
    return webhooks.whatsapp_messages([element], customer=writer, number=load.number_of(message.customer))


if __name__ == "__main__":
    main(Order.read(sys.argv[1]))
