"""Visitors of a chat in the database, what is said to them, and readers of their event streams."""

import contextlib
import json
import socket
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import redis
import requests
from django.utils import timezone

from channels_app.models import WebChat
from channels_app.webchat import sessions
from config.lib import crypto
from tests import environment
from tests.rig import Business, Rig, wait_until

SHOP = "https://shop.example"


@dataclass(frozen=True)
class Chat:
    """A web chat of a business, allowed on the shop's pages."""

    rig: Rig
    business: Business

    @classmethod
    def create(cls, rig: Rig) -> "Chat":
        business = rig.business(type="webchat", number=f"web_{uuid.uuid4().hex[:12]}")
        number = business.phone_number_id
        secret = crypto.encrypt("wcs_secret", context=f"web_chats:secret:{number}")
        rig.execute(
            "INSERT INTO web_chats (phone_number_id, secret, allowed_origins) VALUES (%s, %s, %s)",
            *(number, secret, [SHOP]),
        )
        return cls(rig, business)

    @property
    def url(self) -> str:
        return f"{environment.LIVE_URL}/webchat/{self.business.phone_number_id}/events"

    def visitor(self, *, has_written: bool = True, now: datetime | None = None) -> "Visitor":
        session = sessions.begin(
            WebChat(phone_number_id=self.business.phone_number_id), now=now or timezone.now()
        )
        visitor = Visitor(self, session.token, session.visitor.visitor_id)
        if has_written:
            visitor.write()
        return visitor


_CUSTOMER = """
    WITH who AS (
        INSERT INTO customers (customer_id, phone_number_id, visitor_id, username, name, created_at)
        VALUES (%(id)s, %(number)s, %(visitor)s, '', '', now()) RETURNING customer_id)
    INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                               last_sequence_no, is_active, created_at, last_message_at)
    SELECT %(id)s, %(user)s, %(user)s, customer_id, %(visitor)s, 0, true, now(), now() FROM who
"""
SAID = """
    WITH talk AS (
        UPDATE conversations SET last_sequence_no = last_sequence_no + 1
         WHERE conversation_id = %(id)s RETURNING user_id, last_sequence_no)
    INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, sender, author, text,
                          timestamp, status, sequence_no, failure_reason, tokens_used, openai_response_id)
    SELECT 'msg_' || gen_random_uuid(), user_id, %(id)s, %(number)s, 'agent', 'staff', %(text)s,
           now(), 'sent', last_sequence_no, '', 0, '' FROM talk
"""


@dataclass(frozen=True)
class Visitor:
    """Somebody on the shop's page."""

    chat: Chat
    token: str
    visitor_id: str
    customer_id: str = field(default_factory=lambda: f"cus_{uuid.uuid4().hex[:20]}")

    @property
    def facts(self) -> dict[str, str]:
        business = self.chat.business
        return {
            "id": self.customer_id,
            "visitor": self.visitor_id,
            "number": business.phone_number_id,
            "user": business.user_id,
        }

    def write(self) -> None:
        """Have them have written, as far as streams care: they have a row and a talk."""
        with self.chat.rig.connect() as connection:
            connection.execute(_CUSTOMER, self.facts)
        self.ring(channel=f"webchat:{self.chat.business.phone_number_id}:{self.visitor_id}")

    def say(self, *texts: str, rings: bool = True) -> None:
        """Say something to them."""
        with self.chat.rig.connect() as connection:
            for text in texts:
                connection.execute(SAID, {**self.facts, "text": text})
        if rings:
            self.ring()

    def ring(self, kind: str = "changed", *, channel: str = "") -> None:
        with (
            redis.Redis.from_url(self.chat.rig.servers.redis_url) as client,
            contextlib.suppress(redis.RedisError),
        ):
            client.publish(channel or f"webchat:{self.customer_id}", kind)

    def connect(self, *, cursor: str = "", **headers: str) -> "Reader":
        return Reader(self.ask(cursor=cursor, **headers))

    def ask(self, *, cursor: str = "", **headers: str) -> requests.Response:
        given = {"Authorization": f"Bearer {self.token}", "Origin": SHOP}
        given |= {"Last-Event-ID": cursor} if cursor else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in given.items() if value}
        return requests.get(self.chat.url, headers=given, stream=True, timeout=60)


class Reader:
    """Reads a stream in a thread of its own, as a browser does."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200, answer.text
        self.answer = answer
        self.events: list[tuple[str, Any]] = []
        self.cursor = ""
        self.has_ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(requests.RequestException, AttributeError, ValueError):
            for part in self.answer.iter_content(None):
                *whole, rest = (rest + part).split(b"\n\n")
                for one in whole:
                    self._take(one.decode())
        self.has_ended = True

    def _take(self, told: str) -> None:
        fields = dict(line.split(": ", 1) for line in told.splitlines() if not line.startswith(":"))
        if "event" in fields:
            self.events.append((fields["event"], json.loads(fields["data"])))
        self.cursor = fields.get("id", self.cursor)

    @property
    def texts(self) -> list[str]:
        return [data["text"] for kind, data in list(self.events) if kind == "message"]

    def told(self, kind: str) -> list[Any]:
        return [data for event, data in list(self.events) if event == kind]

    def wait_for(self, *texts: str) -> None:
        """Wait until just these texts came, in this order."""
        wait_until(lambda: len(self.texts) >= len(texts), what=f"{texts} in {self.events}")
        assert self.texts == list(texts)

    def wait_for_end(self) -> None:
        wait_until(lambda: self.has_ended, what="the stream's end")

    def close(self) -> None:
        """Hang up; `answer.close()` would wait for whoever reads it."""
        connection: Any = self.answer.raw._connection
        with contextlib.suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)
