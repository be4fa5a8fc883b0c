"""A message can be followed by its correlation id: through all processes' logs, and by `manage.py trace`."""

import json
import subprocess
import sys

import pytest
import requests

from simulator import identifiers, webhooks
from tests import environment
from tests.journeys.test_turn import change_agent, pause
from tests.rig import PROJECT, wait_until

pytestmark = pytest.mark.long

PHONE = "12025550143"
TEXT = "Do you bake rye bread?"
PROCESSES = ("webhook", "worker", "extractor", "sweeper")


def write(business, text: str, correlation_id: str) -> None:
    body = business.body(text, wa_id=PHONE)
    headers = webhooks.headers(body, "test-app-secret") | {"X-Correlation-Id": correlation_id}
    assert requests.post(environment.WEBHOOK_URL, data=body, headers=headers, timeout=60).status_code == 200


def logged(correlation_id: str) -> list[dict]:
    """Return the lines of all processes that name a correlation id, in the order of time."""
    lines = [
        json.loads(line)
        for name in PROCESSES
        for line in (environment.DATA_DIR / "log" / f"{name}.log").read_text().splitlines()
        if correlation_id in line
    ]
    return sorted(lines, key=lambda line: line["timestamp"])


def events_of(correlation_id: str) -> list[str]:
    return [line["event"] for line in logged(correlation_id)]


def trace(identifier: str, *options: str) -> str:
    command = [sys.executable, "manage.py", "trace", identifier, *options]
    ended = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=60)
    return ended.stdout


@pytest.fixture
def correlation_id() -> str:
    return f"journey-{identifiers.request_id()}"


@pytest.fixture
def no_customer_in_the_log(rig):
    """Check afterwards that no line has the customer's number or words, whatever happened."""
    begins = {name: (environment.DATA_DIR / "log" / f"{name}.log").stat().st_size for name in PROCESSES}
    yield
    for name, begin in begins.items():
        written = (environment.DATA_DIR / "log" / f"{name}.log").read_bytes()[begin:].decode()
        assert PHONE not in written
        assert TEXT not in written


@pytest.mark.usefixtures("no_customer_in_the_log")
class TestFollowing:
    def test_reply_from_the_webhook_until_it_was_read(self, rig, correlation_id):
        business = rig.business()

        write(business, TEXT, correlation_id)
        wait_until(
            lambda: [m for m in business.messages() if m["status"] == "read"], what="the reply is read"
        )
        business.wait_until_quiet()

        lines = {line["event"]: line for line in logged(correlation_id)}
        assert list(dict.fromkeys(events_of(correlation_id)))[:7] == [
            "message.received", "webhook.received", "turn.claimed", "model.asked", "model.answered",
            "delivery.sent", "turn.ended",
        ]  # fmt: skip
        assert lines["webhook.received"]["messages"] == {"text": 1}
        assert lines["webhook.received"]["phone_number_id"] == [business.phone_number_id]
        assert lines["message.received"]["phone_number_id"] == business.phone_number_id
        assert lines["turn.claimed"]["waited_ms"] >= 300
        assert lines["model.answered"]["tokens"] > 0
        assert lines["model.answered"]["request_id"].startswith("req_")
        turn_ids = {lines[name]["turn_id"] for name in ("turn.claimed", "model.answered", "delivery.sent")}
        assert turn_ids == {lines["turn.ended"]["turn_id"]}
        wait_until(lambda: "read" in [line.get("status") for line in logged(correlation_id)], what="its line")
        statuses = [line for line in logged(correlation_id) if line["event"] == "delivery.status"]
        assert {line["delivery_id"] for line in statuses} == {lines["delivery.sent"]["delivery_id"]}
        assert correlation_id not in {line["webhook_correlation_id"] for line in statuses}

        told = trace(correlation_id)
        for words in (
            *("received: text", "claimed 1 message", "1 credit charged; 999 left", "tokens", "Part 1 (dlv_"),
            *("Status delivered", "Status read", "ended after", "(22 characters)"),
        ):
            assert words in told
        assert PHONE not in told
        assert TEXT not in told
        assert TEXT in trace(correlation_id, "--show-text")
        steps = json.loads(trace(statuses[0]["webhook_correlation_id"], "--json"))["steps"]
        assert correlation_id in [step.get("correlation_id") for step in steps]

    def test_failure_of_the_model_and_of_the_channel(self, rig, correlation_id):
        rig.simulator.behave(openai={"script": [{"status": 400}]}, graph={"script": [{"code": 131047}]})
        business = rig.business()

        write(business, TEXT, correlation_id)
        business.wait_until_quiet()

        events = events_of(correlation_id)
        assert {"model.failed", "turn.not_answered", "delivery.failed"} <= set(events)
        assert "model.answered" not in events
        [failed] = [line for line in logged(correlation_id) if line["event"] == "delivery.failed"]
        assert failed["code"] == "131047"
        told = trace(failed["message_id"])
        for words in ("1 credit refunded", "The model did not answer", "failed: 131047", "ended after"):
            assert words in told

    def test_handover(self, rig, correlation_id):
        call = {"tool_call": {"name": "hand_over", "arguments": {"reason": "wants a refund"}}}
        rig.simulator.behave(openai={"script": [call]})
        business = rig.business()
        change_agent(rig, business, handover_enabled=True, handover_message="Ada will answer you.")

        write(business, TEXT, correlation_id)
        business.wait_until_quiet()

        assert {"customer.paused", "delivery.sent", "turn.ended"} <= set(events_of(correlation_id))
        told = trace(correlation_id)
        for words in ("The model asked for a person", "Event conversation.handover", "The AI is paused for"):
            assert words in told

    def test_burst_is_found_by_the_id_of_each_of_its_webhooks(self, rig, correlation_id):
        business = rig.business()

        for n in range(3):
            write(business, f"Message {n}", f"{correlation_id}-{n}")
        business.wait_until_quiet()

        for n in range(3):
            assert "turn.claimed" in events_of(f"{correlation_id}-{n}")
        told = trace(f"{correlation_id}-0")
        assert told.count("it joined the burst") == 2
        assert "claimed 3 messages" in told

    def test_message_that_came_while_a_person_had_taken_over(self, rig, correlation_id):
        business = rig.business()
        business.write("Hello", wa_id=PHONE)
        business.wait_until_quiet()
        pause(rig, business)

        write(business, TEXT, correlation_id)
        wait_until(lambda: len(business.messages()) == 3, what="the message is in the conversation")

        wait_until(lambda: "message.not_answered" in events_of(correlation_id), what="its line")
        assert "turn.claimed" not in events_of(correlation_id)
        told = trace(correlation_id)
        assert "not answered: a person had taken over" in told
        assert "The AI is paused for the customer until" in told
