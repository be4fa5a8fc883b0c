"""`manage.py create_api_key`: makes a key for the management API and prints it, once."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from billing import keys
from billing.key_rights import UnknownNumberError
from billing.models import ApiKey, User
from config.lib.commands import AuditedCommand


class Command(AuditedCommand):
    """Makes a key of a business with --user, else an operator's; it cannot be shown again."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whose key it is, what it is called, and how long it works."""
        parser.add_argument("--user", metavar="USR_…", help="the business it acts for; none = an operator")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument("--expires-in-days", type=_days, help="how long it works; none = until revoked")
        parser.add_argument(
            "--scope", choices=ApiKey.Scope.values, default=ApiKey.Scope.FULL.value, help="what it may do"
        )
        parser.add_argument(
            "--phone-number-id",
            action="append",
            metavar="ID",
            help="a number it is restricted to, several times for several; none = no restriction",
        )

    def handle(self, *_args: object, user: str | None, expires_in_days: int | None, **options: Any) -> None:
        """Make the key, and print nothing else to stdout."""
        if user is not None and not User.objects.filter(pk=user).exists():
            raise CommandError(f"There is no user {user}.")
        try:
            _, key = keys.create(
                user_id=user,
                name=options["name"],
                scope=options["scope"],
                phone_number_ids=options["phone_number_id"],
                expires_at=timezone.now() + timedelta(days=expires_in_days) if expires_in_days else None,
            )
        except UnknownNumberError as error:
            raise CommandError("The business has no phone number with this id.") from error
        self.stdout.write(key)


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 36500:
        raise ArgumentTypeError(f"{text} is no number of days")
    return int(text)
