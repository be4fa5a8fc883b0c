"""`manage.py diagnose`: says why a number went quiet, and what helps; changes nothing but its last check."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.diagnosis import diagnosing
from conversations.diagnosis.findings import Diagnosis, Level

_MARKS = {Level.PROBLEM: "PROBLEM", Level.WARNING: "warning", Level.OK: "ok"}


class Command(BaseCommand):
    """Prints the findings about a number, problems first; ends with 1 if there is a problem."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a number's id."""
        parser.add_argument("phone_number_id", help="the number's id at Meta, or a web chat's")
        parser.add_argument("--offline", action="store_true", help="do not ask Graph; use its last check")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        """Print the findings."""
        number = options["phone_number_id"].strip()
        try:
            diagnosis = diagnosing.diagnose(number, asks_graph=not options["offline"])
        except diagnosing.UnknownNumberError as error:
            raise CommandError(f"no number {number} is registered") from error
        if options["json"]:
            document = {
                "phone_number_id": diagnosis.phone_number_id,
                "findings": [finding.as_json() for finding in diagnosis.findings],
            }
            self.stdout.write(json.dumps(document, indent=2))
        else:
            self._print(diagnosis)
        if diagnosis.worst is not None and diagnosis.worst.level is Level.PROBLEM:
            raise SystemExit(1)

    def _print(self, diagnosis: Diagnosis) -> None:
        for finding in diagnosis.findings:
            self.stdout.write(f"{_MARKS[finding.level]:8} {finding.part:13} {finding.text}")
            if finding.action:
                self.stdout.write(f"{'':22} -> {finding.action}")
