"""`manage.py reset_second_factor`: removes a staff member's second factor, as a last resort."""

from argparse import ArgumentParser

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from config.admin import second_factor


class Command(BaseCommand):
    """Removes authenticator and recovery codes, and ends all sessions of the account."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the account."""
        parser.add_argument("username")

    def handle(self, *_args: object, username: str, **_options: object) -> None:
        """Reset the second factor."""
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no staff account {username}.")
        second_factor.reset(user, actor=None)
        self.stdout.write(f"{username} has no second factor any more, and was signed out everywhere.")
