"""`manage.py migrate`: Django's, without the service's limit for the length of a statement."""

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """
    Migrates. An index on a full table takes longer than any statement of the service may.

    The limit for locks stays: a change of a table that waited long would have everybody wait behind it.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate. Behind a pooler the role's settings hold, as documentation/checks.md says."""
        if not settings.DATABASE_SESSION_OPTIONS:
            super().handle(*args, **options)
            return
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        try:
            super().handle(*args, **options)
        finally:
            if not connection.needs_rollback:
                with connection.cursor() as cursor:
                    cursor.execute("RESET statement_timeout")
