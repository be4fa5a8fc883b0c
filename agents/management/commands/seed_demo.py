"""`manage.py seed_demo`: makes the demo business and prints it as JSON."""

import json
from dataclasses import asdict

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agents import demo


class Command(BaseCommand):
    """Makes a demo business with a WhatsApp number, an agent and 1,000 credits; the same on a second run."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Seed, and print what was made."""
        if settings.IS_PRODUCTION:
            raise CommandError("The demo business is not for production.")
        self.stdout.write(json.dumps(asdict(demo.seed())))
