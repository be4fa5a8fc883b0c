"""`manage.py remove_demo`: revokes the demo's API keys and locks its staff user."""

from django.core.management.base import BaseCommand

from agents import demo


class Command(BaseCommand):
    """Takes the demo's credentials out of a database, for production; businesses and their data stay."""

    help = __doc__

    def handle(self, *_args: object, **_options: object) -> None:
        """Remove them, and print what was done."""
        for line in demo.remove_credentials() or ["There are no demo credentials that work."]:
            self.stdout.write(line)
        if others := demo.other_keys():
            self.stdout.write(
                "These operator keys and keys of the demo business still work, and may have been created with"
                f" the demo's: {', '.join(others)}. Revoke the keys you do not know."
            )
