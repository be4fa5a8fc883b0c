"""`manage.py add_number`: puts the demo agent on a real WhatsApp number."""

import getpass
import os
from argparse import ArgumentParser

from django.core.management.base import CommandError

from agents import demo
from agents.models import Prompt
from agents.registration import register
from channels_app.ownership import NotTheOwnerError
from config.lib.commands import AuditedCommand


class Command(AuditedCommand):
    """Registers a WhatsApp number for the demo business; its token comes from ACCESS_TOKEN, or is asked."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the number by Meta's id and as people dial it."""
        parser.add_argument("phone_number_id", help="Meta's id of the number, from the app's dashboard")
        parser.add_argument("number", help="the number itself, such as +12025550100")

    def handle(self, *_args: object, **options: str) -> None:
        """Register the number."""
        if not Prompt.objects.filter(prompt_id=demo.PROMPT_ID).exists():
            raise CommandError("There is no demo business yet: run `manage.py seed_demo` first.")
        token = os.environ.get("ACCESS_TOKEN") or getpass.getpass("Access token: ")
        if not token.strip():
            raise CommandError("An access token is needed.")
        try:
            self._register(token.strip(), options)
        except NotTheOwnerError as error:
            raise CommandError(f"Not registered: {error}.") from error
        self.stdout.write(f"The demo agent answers on {options['number']} now.")

    def _register(self, token: str, options: dict[str, str]) -> None:
        register(
            user_id=demo.USER_ID,
            phone_number_id=options["phone_number_id"],
            external_number=options["number"],
            access_token=token,
            prompt_id=demo.PROMPT_ID,
            name="Demo agent",
            fallback_message=demo.FALLBACK_MESSAGE,
        )
