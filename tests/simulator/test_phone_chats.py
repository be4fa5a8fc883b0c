"""What the phone page is told: its files, the chats as they stand, and what changes in them."""

import json

import pytest
import requests

from simulator.phone_chats import MOST_CHATS, MOST_MESSAGES, Chats, Message
from tests.rig import wait_until

pytestmark = pytest.mark.long


def chats(simulator):
    return requests.get(f"{simulator.url}/_simulator/phone/chats", timeout=60).json()["chats"]


def only_message(simulator, side):
    return next(
        message for chat in chats(simulator) for message in chat["messages"] if message["side"] == side
    )


class TestCustomersMessages:
    def test_are_taken_when_the_webhook_answers_and_read_by_a_receipt(self, simulator):
        [message_id] = simulator.deliver(text="Hi", name="Lucía")["message_ids"]
        taken = only_message(simulator, "customer")
        simulator.send(messaging_product="whatsapp", status="read", message_id=message_id)

        assert (taken["id"], taken["text"], taken["state"]) == (message_id, "Hi", "taken")
        assert only_message(simulator, "customer")["state"] == "read"
        assert [(chat["name"], chat["customer"]) for chat in chats(simulator)] == [("Lucía", "12025550143")]

    def test_are_refused_when_it_does_not_and_taken_later(self, simulator):
        simulator.receiver.answers = [503]

        simulator.deliver(text="Hi", retry=True)

        refused = only_message(simulator, "customer")
        assert (refused["state"], "503" in refused["note"]) == ("refused", True)
        wait_until(lambda: only_message(simulator, "customer")["state"] == "taken")

    def test_can_be_edited_reacted_to_and_deleted(self, simulator):
        [message_id] = simulator.deliver(text="Two loafs")["message_ids"]

        simulator.deliver(messages=[{"kind": "edit", "message_id": message_id, "text": "Two"}])
        simulator.deliver(messages=[{"kind": "reaction", "message_id": message_id, "emoji": "👍"}])
        edited = only_message(simulator, "customer")
        simulator.deliver(messages=[{"kind": "delete", "message_id": message_id}])

        assert (edited["text"], edited["edits"], edited["reactions"]) == ("Two", 1, {"customer": "👍"})
        deleted = only_message(simulator, "customer")
        assert (deleted["is_deleted"], deleted["text"]) == (True, "")


class TestTheBusiness:
    def test_types_until_it_writes(self, simulator):
        [message_id] = simulator.deliver(text="Hi")["message_ids"]
        typing = {"status": "read", "message_id": message_id, "typing_indicator": {"type": "text"}}
        simulator.send(messaging_product="whatsapp", **typing)
        during = chats(simulator)[0]["typing_seconds"]

        simulator.send_text("Hello", context={"message_id": message_id})

        assert during > 20
        assert chats(simulator)[0]["typing_seconds"] == 0
        assert only_message(simulator, "business")["reply_to"] == message_id

    @pytest.mark.parametrize(
        ("behaviour", "state"),
        [
            ({}, "read"),
            ({"statuses": False}, "accepted"),
            ({"graph": {"script": [{"fail_status": 131047}]}}, "failed"),
        ],
    )
    def test_sees_how_far_its_messages_get(self, simulator, behaviour, state):
        simulator.behave(**behaviour)

        simulator.send_text("Hello")

        wait_until(lambda: only_message(simulator, "business")["state"] == state)

    def test_is_seen_on_instagram(self, simulator):
        simulator.deliver(channel="instagram", text="Hi", **{"from": "8123"})
        # A page has an id of its own.
        for body in (
            {"sender_action": "mark_seen"},
            {"sender_action": "typing_on"},
            {"message": {"text": "Hello"}},
        ):
            simulator.send("5550001", recipient={"id": "8123"}, **body).raise_for_status()

        wait_until(lambda: only_message(simulator, "business")["state"] == "read")
        assert only_message(simulator, "customer")["state"] == "read"
        assert len(chats(simulator)) == 1

    def test_answers_by_hand_from_the_app(self, simulator):
        simulator.deliver(messages=[{"kind": "text", "text": "Ana here"}], by_business=True)

        person = only_message(simulator, "person")
        assert (person["text"], person["state"]) == ("Ana here", "taken")


class TestMemory:
    def test_keeps_the_newest_chats_and_messages(self):
        kept = Chats(lambda _chat, _message: None)

        for number in range(MOST_CHATS + 5):
            kept.add(
                kept.chat("whatsapp", "1", str(number)), Message(f"first-{number}", "customer", "text", "Hi")
            )
        chat = kept.chat("whatsapp", "1", "12")
        for number in range(MOST_MESSAGES + 5):
            kept.add(chat, Message(f"m{number}", "customer", "text", "Hi"))

        assert len(list(kept)) == MOST_CHATS
        assert len(chat.messages) == MOST_MESSAGES
        assert (kept.message("first-0"), kept.message("first-12"), kept.message("m5")) == (
            None, None, chat.messages["m5"],
        )  # fmt: skip


class TestEvents:
    def test_tell_of_messages_and_requests_as_they_come(self, simulator):
        url = f"{simulator.url}/_simulator/phone/events"
        with requests.get(url, stream=True, timeout=60) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            assert next(lines) == "event: hello"

            simulator.deliver(text="Hi")

            seen = []
            while ("chat", "taken") not in seen:
                line = next(lines)
                if line.startswith("event: "):
                    kind, told = line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))
                    seen.append((kind, told["label"] if kind == "request" else told["message"]["state"]))

        assert seen[0] == ("chat", "sent")
        assert ("request", "The customer writes: “Hi”") in seen


class TestPage:
    def test_is_served_under_a_strict_policy(self, simulator):
        for name in ("", "/phone.css", "/phone.js", "/sample.ogg"):
            answer = requests.get(f"{simulator.url}/phone{name}", timeout=60)
            assert answer.status_code == 200
            assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert "/phone" in requests.get(simulator.url, timeout=60).text

    @pytest.mark.parametrize("name", ["nothing.js", "../asgi.py", "%2e%2e/asgi.py", ""])
    def test_has_no_other_files(self, simulator, name):
        request = requests.Request("GET", simulator.url).prepare()
        request.url = f"{simulator.url}/phone/{name}"

        assert requests.Session().send(request, timeout=60).status_code == 404

    def test_runs_nothing_that_was_uploaded(self, simulator):
        file = {"id": "evil", "mime_type": "text/html", "data": "PHNjcmlwdD4="}
        requests.post(f"{simulator.url}/_simulator/media", json=file, timeout=60).raise_for_status()

        answer = requests.get(f"{simulator.url}/_simulator/phone/media?id=evil", timeout=60)

        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["content-disposition"] == "attachment"

    def test_lists_what_happened_without_bodies(self, simulator):
        simulator.deliver(texts=["Hi", "there"])

        [summary] = requests.get(f"{simulator.url}/_simulator/phone/requests", timeout=60).json()

        assert (summary["label"], summary["status"]) == ("The customer writes 2 messages", 200)
        assert "body" not in summary
