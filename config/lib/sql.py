"""Raw SQL for the hot path, where a statement says more in fewer round trips than the ORM can."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

Parameters = Mapping[str, Any] | Sequence[Any]


def rows(statement: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """Run a statement and give its rows by column name; jsonb comes as text."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def row(statement: str, parameters: Parameters = ()) -> dict[str, Any] | None:
    """Run a statement and give its first row, if it has one."""
    found = rows(statement, parameters)
    return found[0] if found else None


def execute(statement: str, parameters: Parameters = ()) -> int:
    """Run a statement and say how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
