"""`manage.py seed_demo`: makes the demo business and prints it as JSON."""

import json
from dataclasses import asdict

from django.conf import settings
from django.core.management.base import CommandError

from agents import demo
from config.lib.commands import AuditedCommand


class Command(AuditedCommand):
    """Makes a demo business with numbers, agents, 1,000 credits and keys; the same on a second run."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Seed, and print what was made."""
        if settings.IS_PRODUCTION:
            raise CommandError("The demo business is not for production.")
        self.stdout.write(json.dumps(asdict(demo.seed())))
