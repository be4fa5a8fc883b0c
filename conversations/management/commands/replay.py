"""`manage.py replay`: has failed messages and dead letters looked at again."""

from argparse import ArgumentParser
from datetime import datetime

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from channels_app.models import DeadLetter, InboundMessage
from conversations import replay
from conversations.replay import Replayed


class Command(BaseCommand):
    """Replays a dead letter, an inbox row, a number or a span of time; safe to run twice."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to replay; at least one of them."""
        parser.add_argument("--dead-letter", type=int, help="id of one row of dead_letters")
        parser.add_argument("--inbound", type=int, help="id of one row of inbound_messages")
        parser.add_argument("--number", default="", help="a phone_number_id")
        parser.add_argument("--since", help="ISO 8601, such as 2026-11-22T08:00Z")
        parser.add_argument("--until", help="ISO 8601; default now")

    def handle(self, *_args: object, **options: str) -> None:
        """Replay, and say how much there was."""
        replayed = self._replay(options)
        self.stdout.write(
            f"Messages that wait again: {replayed.messages}. Dead letters read: {replayed.dead_letters}."
        )

    def _replay(self, options: dict[str, str]) -> Replayed:
        if options["dead_letter"]:
            return replay.dead_letters(DeadLetter.objects.filter(pk=options["dead_letter"]))
        if options["inbound"]:
            return replay.inbound(InboundMessage.objects.filter(pk=options["inbound"]))
        if not options["number"] and not options["since"]:
            raise CommandError("Say what: --dead-letter, --inbound, --number or --since.")
        since = _moment(options["since"] or "1970-01-01T00:00Z")
        until = _moment(options["until"]) if options["until"] else timezone.now()
        return replay.between(since, until, phone_number_id=options["number"])


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(f"{text!r} is no ISO 8601 date and time.")
    return moment if moment.tzinfo else timezone.make_aware(moment)
