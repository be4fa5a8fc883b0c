"""`manage.py export_customer`: writes everything that is stored of a customer to a ZIP file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from channels_app.models import Customer
from config.lib.commands import AuditedCommand
from privacy import export


class Command(AuditedCommand):
    """Exports a customer by our id."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a customer's id and where to write."""
        parser.add_argument("customer_id", help="the customer, such as cus_…")
        parser.add_argument("file", type=Path, help="the ZIP file to be written; it must not exist")

    def handle(self, *_args: object, **options: Any) -> None:
        """Write the file."""
        customer = Customer.objects.filter(pk=options["customer_id"].strip()).first()
        if customer is None:
            raise CommandError(f"there is no customer {options['customer_id']}")
        try:
            with options["file"].open("xb") as file:
                export.write_zip(customer.pk, file)
        except FileExistsError as error:
            raise CommandError(f"{options['file']} exists") from error
        export.record(customer)
        self.stdout.write(f"written to {options['file']}")
