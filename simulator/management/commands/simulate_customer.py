"""`manage.py simulate_customer "Hello"`: write as a customer, and see what comes back."""

import argparse
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from simulator.management.simulator_client import SimulatorClient

DEFAULT_SENDERS = {"whatsapp": "+12025550143", "instagram": "8123456789012345"}
POLL_SECONDS = 0.2
QUIET_SECONDS = 1.5
STATUS_SECONDS = 5.0
LOGS = "the logs are in .data/log"


class Command(BaseCommand):
    """Sends a message through the simulator and follows the reply."""

    help = "Write as a customer on the simulator and wait for the reply."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""
        parser.add_argument("text", help="what the customer writes")
        parser.add_argument("--from", dest="sender", help="the customer's phone number or Instagram id")
        parser.add_argument("--name", default="", help="the customer's name")
        parser.add_argument("--channel", choices=sorted(DEFAULT_SENDERS), default="whatsapp")
        parser.add_argument("--burst", type=_positive, default=1, help="so many messages in one webhook")
        parser.add_argument("--number", default="", help="the business's phone_number_id")
        parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the reply")

    def handle(self, *_args: object, **options: Any) -> None:
        """Deliver, wait for the reply, follow its statuses."""
        simulator = SimulatorClient(settings.SIMULATOR_URL)
        sender = options["sender"] or DEFAULT_SENDERS[options["channel"]]
        texts = [
            options["text"],
            *(f"{options['text']} ({index})" for index in range(2, options["burst"] + 1)),
        ]
        start = simulator.last_seq()
        order = {
            "channel": options["channel"],
            "from": sender,
            "texts": texts,
            "name": options["name"],
            "phone_number_id": options["number"],
        }
        self._report_delivery(simulator.deliver(order), sender, texts)
        replies = self._replies(simulator, start, sender, options["timeout"])
        if options["channel"] == "whatsapp":
            self._statuses(simulator, start, replies)

    def _report_delivery(self, delivery: dict[str, Any], sender: str, texts: Iterable[str]) -> None:
        for text in texts:
            self.stdout.write(f"{sender} → {text}")
        if delivery["status"] is None:
            raise CommandError(
                f"The webhook at {delivery['webhook_url']} does not answer ({delivery['error']}); {LOGS}."
            )
        if delivery["status"] != 200:
            raise CommandError(
                f"The webhook at {delivery['webhook_url']} answered {delivery['status']}; {LOGS}."
            )
        self.stdout.write("webhook answered 200; waiting for the reply …")

    def _replies(self, simulator: SimulatorClient, start: int, sender: str, timeout: float) -> list[str]:
        """Print each part of the reply as it comes, and return the parts' message ids."""
        shown: dict[int, str] = {}
        began = last = time.monotonic()

        def is_over() -> bool:
            nonlocal last
            for entry in simulator.sends_to(sender, since_seq=start):
                if entry["seq"] not in shown and entry["t_done"] is not None:
                    shown[entry["seq"]] = (entry["provider_ids"] or [""])[0]
                    self._report_send(entry)
                    last = time.monotonic()
            return bool(shown) and time.monotonic() - last > QUIET_SECONDS

        _poll(is_over, timeout, lambda: bool(shown))
        message_ids = [message_id for message_id in shown.values() if message_id]
        if not message_ids:
            waited = time.monotonic() - began
            raise CommandError(f"No reply within {waited:.0f} s; {LOGS}.")
        return message_ids

    def _report_send(self, entry: dict[str, Any]) -> None:
        if entry["provider_ids"]:
            self.stdout.write(self.style.SUCCESS(f"reply ← {_text_of(entry['body'])}"))
        else:
            self.stdout.write(self.style.WARNING(f"a send was answered {entry['status']}"))

    def _statuses(self, simulator: SimulatorClient, start: int, message_ids: list[str]) -> None:
        """Print how far the reply got, the webhooks' answers included."""
        if not simulator.sends_statuses():
            return
        reached: dict[str, list[str]] = {message_id: [] for message_id in message_ids}

        def is_over() -> bool:
            for status in simulator.statuses(since_seq=start):
                names = reached.get(status["id"])
                if names is not None and status["status"] not in names:
                    names.append(status["status"])
            return all({"read", "failed"} & set(names) for names in reached.values())

        _poll(is_over, STATUS_SECONDS, lambda: False)
        for names in reached.values():
            self.stdout.write(f"status: {', '.join(names) or 'none yet'}")


def _poll(is_over: Callable[[], bool], timeout: float, has_begun: Callable[[], bool]) -> None:
    """Ask again and again, until it is over or time is up; what has begun may take a little longer."""
    deadline = time.monotonic() + timeout
    while not is_over():
        late = QUIET_SECONDS if has_begun() else 0
        if time.monotonic() > deadline + late:
            return
        time.sleep(POLL_SECONDS)


def _text_of(body: dict[str, Any]) -> str:
    message = body.get("text") or body.get("message") or {}
    text = message.get("body") or message.get("text")
    return str(text) if text else f"[{body.get('type', 'message')}]"


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)
