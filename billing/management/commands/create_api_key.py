"""`manage.py create_api_key`: makes a key for the management API and prints it, once."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import keys
from billing.models import User


class Command(BaseCommand):
    """Makes a key of a business with --user, else an operator's; it cannot be shown again."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whose key it is, what it is called, and how long it works."""
        parser.add_argument("--user", metavar="USR_…", help="the business it acts for; none = an operator")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--expires-in-days", type=_days, help="how long it works; none = until revoked")

    def handle(self, *_args: object, user: str | None, name: str, **options: int | None) -> None:
        """Make the key, and print nothing else to stdout."""
        if user is not None and not User.objects.filter(pk=user).exists():
            raise CommandError(f"There is no user {user}.")
        days = options["expires_in_days"]
        _, key = keys.create(
            user_id=user, name=name, expires_at=timezone.now() + timedelta(days=days) if days else None
        )
        self.stdout.write(key)


def _days(given: str) -> int:
    if not given.isdecimal() or not 0 < int(given) <= 36500:
        raise ArgumentTypeError(f"{given} is no number of days")
    return int(given)
