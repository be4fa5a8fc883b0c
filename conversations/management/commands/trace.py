"""`manage.py trace`: prints what became of a message, from its webhook to its reply; changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.tracing import lookup, story
from conversations.tracing.steps import Step
from conversations.tracing.story import Story


class Command(BaseCommand):
    """Prints the story of a message in the order of time; phone numbers and texts only with --show-text."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an identifier and the format of the output."""
        parser.add_argument("identifier", help=lookup.ACCEPTED)
        parser.add_argument("--show-text", action="store_true", help="print phone numbers and texts")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        """Print the story."""
        try:
            history = story.tell(options["identifier"].strip())
        except lookup.UnknownIdError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(history, shows_text=options["show_text"]), indent=2))
        else:
            for line in _lines(history, shows_text=options["show_text"]):
                self.stdout.write(line)


def _lines(story: Story, *, shows_text: bool) -> list[str]:
    lines = [
        f"Number {', '.join(story.phone_number_ids) or 'unknown'}"
        + (f", conversation {', '.join(story.conversation_ids)}" if story.conversation_ids else ""),
        f"Correlation id {', '.join(story.correlation_ids) or 'none'}",
    ]
    for customer in story.customers:
        if shows_text:
            lines.append(f"Customer {customer['customer_id']}, {customer['address']}")
        if customer["is_paused"]:
            until, reason = customer["paused_until"], customer["pause_reason"]
            lines.append(f"The AI is paused for the customer until {until:%Y-%m-%d %H:%M:%S} UTC: {reason}")
    lines += ["", *(_line(step, before, shows_text=shows_text) for step, before in _pairs(story.steps))]
    return lines


def _pairs(steps: list[Step]) -> list[tuple[Step, Step | None]]:
    return list(zip(steps, [None, *steps], strict=False))


def _line(step: Step, before: Step | None, *, shows_text: bool) -> str:
    since = f"+{(step.at - before.at).total_seconds():.2f} s" if before else ""
    stamp = f"{step.at:%Y-%m-%d %H:%M:%S}.{step.at.microsecond // 1000:03}"
    content = ""
    if step.content:
        content = f" {step.content!r}" if shows_text else f" ({len(step.content)} characters)"
    return f"{stamp}  {since:>10}  {step.sentence}{content}"


def _as_json(story: Story, *, shows_text: bool) -> dict[str, Any]:
    steps = [
        {"at": step.at.isoformat(), "event": step.event, "sentence": step.sentence, **step.facts}
        | ({"text": step.content} if shows_text and step.content else {})
        for step in story.steps
    ]
    customers = [
        {
            "customer_id": customer["customer_id"],
            "paused_until": customer["paused_until"] and customer["paused_until"].isoformat(),
            "pause_reason": customer["pause_reason"],
            **({"address": customer["address"]} if shows_text else {}),
        }
        for customer in story.customers
    ]
    return {
        "phone_number_ids": story.phone_number_ids,
        "conversation_ids": story.conversation_ids,
        "correlation_ids": story.correlation_ids,
        "customers": customers,
        "steps": steps,
    }
