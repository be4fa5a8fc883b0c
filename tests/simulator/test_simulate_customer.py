from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from simulator.exchange import Json


@pytest.fixture
def write(simulator, settings):
    settings.SIMULATOR_URL = simulator.url

    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("simulate_customer", *arguments, stdout=out, no_color=True)
        return out.getvalue()

    return run


def answering(simulator):
    """Answer WhatsApp customers in two parts, Instagram ones in one."""

    def react(body: Json) -> None:
        entry = body["entry"][0]
        if body["object"] == "instagram":
            event = entry["messaging"][0]
            if "message" in event and not event["message"].get("is_echo"):
                simulator.send("me", recipient=event["sender"], message={"text": "Claro"})
            return
        for message in entry["changes"][0]["value"].get("messages", [])[:1]:
            simulator.send(messaging_product="whatsapp", status="read", message_id=message["id"])
            simulator.send_text("part one", to=f"+{message['from']}")
            simulator.send_text("part two", to=f"+{message['from']}")

    return react


class TestSimulateCustomer:
    def test_prints_the_reply_and_how_far_it_got(self, simulator, write):
        simulator.receiver.react = answering(simulator)

        out = write("Hello", "--from", "+491701234567", "--burst", "2")

        lines = out.splitlines()
        assert lines[:2] == ["+491701234567 → Hello", "+491701234567 → Hello (2)"]
        assert "webhook answered 200" in lines[2]
        assert lines[3:5] == ["reply ← part one", "reply ← part two"]
        assert lines[5:] == ["status: sent, delivered, read"] * 2

    def test_writes_on_instagram(self, simulator, write):
        simulator.receiver.react = answering(simulator)

        out = write("Hola", "--channel", "instagram")

        assert "reply ← Claro" in out

    def test_says_when_the_webhook_refuses(self, simulator, write):
        simulator.receiver.answers = [403]

        with pytest.raises(CommandError, match="answered 403"):
            write("Hello")

    def test_says_where_to_look_when_no_reply_comes(self, write):
        with pytest.raises(CommandError, match=r"No reply within 0 s; the logs are in \.data/log"):
            write("Hello", "--timeout", "0.3")

    def test_says_when_the_simulator_is_down(self, write, settings):
        settings.SIMULATOR_URL = "http://127.0.0.1:9"

        with pytest.raises(
            CommandError, match=r"does not answer at http://127\.0\.0\.1:9 — is `make run` running\?"
        ):
            write("Hello")
