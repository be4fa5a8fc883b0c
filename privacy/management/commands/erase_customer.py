"""`manage.py erase_customer`: deletes everything that is stored of a customer, and prints the receipt."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from channels_app.models import Customer
from config.lib.commands import AuditedCommand
from privacy import erasure
from privacy.models import Erasure


class Command(AuditedCommand):
    """Erases a customer by our id; asks first, unless told not to."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a customer's id."""
        parser.add_argument(
            "customer_id", help="the customer, such as cus_…; GET /users/…/customers lists them"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_args: object, **options: Any) -> None:
        """Erase, and print what was deleted."""
        customer_id = options["customer_id"].strip()
        if not options["yes"] and input(f"Erase {customer_id} for good? Type yes: ") != "yes":
            raise CommandError("nothing was erased")
        try:
            row = erasure.begin(customer_id=customer_id, source=Erasure.Source.COMMAND)
        except Customer.DoesNotExist as error:
            raise CommandError(f"there is no customer {customer_id}") from error
        row = erasure.run(row.pk)
        self.stdout.write(f"{row.pk}, asked for by {row.actor} on {row.requested_at:%Y-%m-%d %H:%M:%S} UTC")
        for name, count in row.counts.items():
            self.stdout.write(f"  {name:22} {count}")
        if row.state == Erasure.State.DONE:
            self.stdout.write("Nothing is left.")
        else:
            self.stdout.write(
                f"It is gone on with in the background: {row.error or 'a last look in a minute'}."
            )
