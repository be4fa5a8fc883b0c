"""
An integration that mirrors a business's messages, written with plain HTTP from the documentation alone.

It receives signed events and downloads files. It asks the API for nothing: each event says whose message it
is about, on which channel, and what became of it.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from tests import environment
from tests.billing.receiver import Receiver
from tests.journeys.test_kinds import PIXEL
from tests.rig import Rig, wait_until

pytestmark = pytest.mark.long

# What differs with the moment: links expire, and a file has a name only once it is stored.
MOMENTARY = {"url", "expires_at", "name"}


class Mirror:
    """The business's copy of its messages, made of events only."""

    def __init__(self, receiver: Receiver, secret: str) -> None:
        self._receiver, self._webhook = receiver, Webhook(secret)
        self.messages: dict[str, dict[str, Any]] = {}
        self.customers: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[str]] = {}
        self.files: dict[str, bytes] = {}

    def update(self) -> None:
        """Verify what has come in, and take it over in the order of the events."""
        events = [self._webhook.verify(post["body"], post["headers"]) for post in self._receiver.posts]
        self.messages, self.history = {}, {}
        for event in sorted(events, key=lambda event: event["sequence"]):
            if message := event["data"].get("message"):
                self.messages[message["message_id"]] = message
                self.customers[message["customer"]["customer_id"]] = message["customer"]
                self.history.setdefault(message["message_id"], []).append(event["type"])
        for message in self.messages.values():
            for file in message["media"]:
                self.files.setdefault(message["message_id"], requests.get(file["url"], timeout=60).content)

    def find(self, matches: Callable[[dict[str, Any]], bool], types: set[str]) -> dict[str, Any]:
        """Wait until a message that matches has had events of these types, and return it."""

        def look() -> dict[str, Any] | None:
            self.update()
            for message_id, message in self.messages.items():
                if matches(message) and types <= set(self.history[message_id]):
                    return message
            return None

        return wait_until(look, what=f"{types} of a message")


class Integration:
    """The business's own program: it sets up its account, and receives events."""

    def __init__(self, rig: Rig, receiver: Receiver) -> None:
        self.rig = rig
        self._key = rig.key()
        user = self.call("POST", "/users", email=f"{time.time_ns()}@example.com", company_name="Bakery")
        self.user_id = user["user_id"]
        self.call("POST", f"/users/{self.user_id}/credits", kind="grant", amount=100, reason="start")
        self._key = user["api_key"]["key"]
        self.home = f"/users/{self.user_id}"
        prompt = self.call("POST", f"{self.home}/prompts", name="Bakery", instructions="Be kind.")
        self.prompt_id = prompt["prompt_id"]
        self.number = self.add_number(
            type="whatsapp",
            phone_number_id=f"1{time.time_ns() % 10**13:013}",
            external_number="+12025550100",
            access_token="example-token",
        )["phone_number_id"]
        endpoint = self.call("POST", f"{self.home}/webhook_endpoints", url=receiver.url)
        self.mirror = Mirror(receiver, endpoint["secret"])

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method,
            f"{environment.API_URL}{path}",
            json=body or None,
            headers={"x-api-key": self._key, "idempotency-key": str(time.time_ns())},
            timeout=60,
        )
        assert answer.ok, answer.text
        return answer.json()

    def add_number(self, **fields: str) -> dict[str, Any]:
        """Add a number with an agent on it."""
        number = self.call("POST", f"{self.home}/phone_numbers", **fields)
        self.call(
            "POST",
            f"{self.home}/agents",
            name="Agent",
            phone_number_id=number["phone_number_id"],
            prompt_id=self.prompt_id,
            fallback_message="Sorry, later.",
        )
        return number

    def write(self, **order: Any) -> None:
        """Write as a customer, by the simulator."""
        order = {"phone_number_id": self.number, "from": "+12025550143", "name": "Ada"} | order
        answer = requests.post(f"{self.rig.simulator.url}/_simulator/deliver", json=order, timeout=60)
        assert answer.json()["status"] == 200, answer.text

    def post_for_user(self, chat: dict[str, Any], external_id: str, text: str, message_id: str) -> None:
        """Hand a message of a user over to the web chat, signed with the chat's secret."""
        body = {
            "phone_number_id": chat["phone_number_id"],
            "customer_phone": external_id,
            "message_text": text,
            "timestamp": int(time.time()),
            "platform_type": "webchat",
            "message_id": message_id,
        }
        raw = json.dumps(body).encode()
        signature = hmac.new(chat["webchat_secret"].encode(), raw, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"}
        assert requests.post(environment.WEBHOOK_URL, raw, headers=headers, timeout=60).status_code == 200


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def integration(rig, receiver) -> Integration:
    rig.start("web", "notifier", WEBHOOK_ENDPOINTS_PRIVATE="true")
    return Integration(rig, receiver)


def lasting(message: dict[str, Any]) -> dict[str, Any]:
    media = [
        {name: value for name, value in file.items() if name not in MOMENTARY} for file in message["media"]
    ]
    return {name: value for name, value in message.items() if name != "deliveries"} | {"media": media}


def is_reply_to(question: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message["in_reply_to"] == question["message_id"]


class TestMirror:
    def test_knows_whose_each_message_is_what_became_of_it_and_has_its_file(self, rig, integration):
        mirror = integration.mirror
        data = {"mime_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
        media_id = requests.post(f"{rig.simulator.url}/_simulator/media", json=data, timeout=60).json()["id"]

        integration.write(text="Do you bake rye bread?")
        question = mirror.find(
            lambda message: message["text"] == "Do you bake rye bread?", {"message.received"}
        )
        reply = mirror.find(is_reply_to(question), {"message.sent", "message.read"})
        # The business gives the customer the id that its own system has.
        customer = f"{integration.home}/customers/{question['customer']['customer_id']}"
        integration.call("PATCH", customer, external_id="crm-77")
        integration.write(messages=[{"kind": "image", "media_id": media_id, "caption": "Like this"}])
        picture = mirror.find(lambda message: message["kind"] == "image", {"message.received"})
        mirror.find(is_reply_to(picture), {"message.sent", "message.read"})
        rig.simulator.behave(openai={"always": {"status": 500}})
        rig.simulator.behave(graph={"script": [{"code": 131047}]})
        integration.write(text="Are you there?")
        failed = mirror.find(
            lambda message: message["status"] == "failed" and message["author"] == "ai", {"message.failed"}
        )
        rig.simulator.behave(openai={"always": None})

        assert (question["customer"]["name"], question["customer"]["external_id"]) == ("Ada", None)
        assert (question["channel"], question["phone_number_id"]) == ("whatsapp", integration.number)
        assert (reply["status"], reply["customer"]) == ("read", question["customer"])
        assert picture["customer"]["external_id"] == "crm-77"
        assert mirror.files == {picture["message_id"]: PIXEL}
        assert failed["reason"]["code"] == "131047"
        self._is_what_the_api_shows(integration)

    def test_knows_the_user_and_the_id_that_its_own_server_gave(self, integration):
        chat = integration.add_number(type="webchat", display_name="Shop")

        integration.post_for_user(chat, "user-4711", "Where is my order?", "order-4711-1")
        question = integration.mirror.find(
            lambda message: message["client_message_id"] == "order-4711-1", {"message.received"}
        )
        reply = integration.mirror.find(is_reply_to(question), {"message.sent"})

        assert question["customer"]["external_id"] == reply["customer"]["external_id"] == "user-4711"
        assert (question["channel"], question["text"]) == ("webchat", "Where is my order?")

    def _is_what_the_api_shows(self, integration: Integration) -> None:
        shown = integration.call("GET", f"{integration.home}/messages")["data"]
        own = {message["message_id"] for message in shown}
        mirrored = {id_: message for id_, message in integration.mirror.messages.items() if id_ in own}

        assert own == set(mirrored)
        for message in shown:
            copy = mirrored[message["message_id"]]
            customer = integration.mirror.customers[copy["customer"]["customer_id"]]
            assert lasting(copy | {"customer": customer}) == lasting(message)
