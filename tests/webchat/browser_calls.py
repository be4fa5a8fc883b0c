"""What a visitor's browser asks for, on a page of the shop's."""

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime
from typing import Any

from django.test import Client

from agents.models import Agent
from channels_app import numbers
from channels_app.models import WebChat
from channels_app.webchat import chats
from tests.api.sentences import require_sentences
from tests.factories import AgentFactory, CreditFactory

SHOP = "https://shop.example"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40


def web_chat(*, credits: int = 10) -> WebChat:  # noqa: A002  (a business's)
    """Give a chat as a business makes one; `new_secret` is what it was shown."""
    user = CreditFactory(remaining_credits=credits).user
    number = numbers.register(
        user_id=user.user_id, type="webchat", external_number="", display_name="Example Bakery"
    )
    AgentFactory(phone_number=number)
    chats.change(phone_number_id=number.pk, allowed_origins=[SHOP])
    chat = chat_of(number.pk)
    chat.new_secret = number.new_secret
    chat.token_of = lambda user_id="4711", **claims: identity_token(user_id, number.new_secret, **claims)
    chat.hash_of = lambda user_id: hmac.new(
        number.new_secret.encode(), user_id.encode(), hashlib.sha256
    ).hexdigest()
    return chat


def identity_token(user_id: str, secret: str, **claims: Any) -> str:
    """Sign an identity token as a business's server does; a claim of None is left out."""
    made = {"aud": "webchat-identity-v2", "sub": user_id, "exp": int(time.time()) + 600, **claims}
    named = {name: value for name, value in made.items() if value is not None}
    head, body = (_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, named))
    proof = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{_base64url(proof)}"


def accept_hashes(chat: WebChat, *, until: datetime) -> None:
    """Let a chat accept identities of the format before tokens, as chats of that time do."""
    WebChat.objects.filter(pk=chat.pk).update(identity_hashes_until=until)
    chat.identity_hashes_until = until


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def chat_of(phone_number_id: str) -> WebChat:
    found = chats.known(phone_number_id)
    assert found is not None
    return found


def agent_of(chat: WebChat) -> Agent:
    return Agent.objects.live().get(phone_number_id=chat.pk)


class Browser:
    """A browser on a page of `origin`; `token` is its session's."""

    def __init__(self, chat: WebChat, *, origin: str | None = SHOP, token: str = "") -> None:
        self.chat = chat
        self.origin = origin
        self.token = token
        self._client = Client(raise_request_exception=False)

    def ask(self, method: str, place: str, body: Any = None, **more: str) -> Any:
        headers = {} if self.origin is None else {"Origin": self.origin}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        content_type = headers.pop("Content-Type", "application/json")
        given = {}
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body)
            given = {"data": data, "content_type": content_type}
        answer = getattr(self._client, method)(f"/webchat/{self.chat.pk}/{place}", headers=headers, **given)
        require_sentences(answer)
        return answer

    def get(self, place: str, **more: str) -> Any:
        return self.ask("get", place, **more)

    def post(self, place: str, body: Any = None, **more: str) -> Any:
        return self.ask("post", place, {} if body is None else body, **more)

    def begin(self, **body: Any) -> "Browser":
        """Begin a session, or go on with one."""
        answer = self.post("sessions", body)
        assert answer.status_code == 201, answer.content
        self.token = answer.json()["token"]
        return self

    def begin_from(self, address: str) -> "Browser":
        """Begin a session from an address that a proxy tells."""
        self._client.defaults["HTTP_X_FORWARDED_FOR"] = address
        return self.begin()

    def write(self, text: str, *, message_id: str = "message-1", **more: Any) -> Any:
        return self.post("messages", {"message_id": message_id, "text": text, **more})

    def upload(self, content: bytes = PNG, kind: str = "image/png") -> Any:
        return self.ask("post", "files", content, Content_Type=kind)

    def messages(self, after: str = "") -> Any:
        return self.get(f"messages?after={after}" if after else "messages").json()
