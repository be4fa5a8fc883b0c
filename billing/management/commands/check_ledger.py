"""`manage.py check_ledger`: proves that every balance is what its ledger says."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from billing import reconciliation


class Command(BaseCommand):
    """Prints every line or balance that is wrong, and fails if there is one."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the one user to look at, if not all."""
        parser.add_argument("--user", help="only this user's ledger, by user_id")

    def handle(self, *_args: object, **options: str | None) -> None:
        """Look at the ledger."""
        faults = reconciliation.faults(user_id=options["user"])
        for fault in faults:
            self.stdout.write(str(fault))
        if faults:
            raise CommandError(f"The ledger has {len(faults)} fault(s).")
        self.stdout.write("Every balance is the sum of its ledger.")
