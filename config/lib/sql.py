"""Raw SQL for the hot path, where a statement says more in fewer round trips than the ORM can."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection
from psycopg.types.json import Jsonb

Parameters = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")

log = structlog.get_logger(__name__)
_PAUSE = 0.5


def rows(statement: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """Run a statement and give its rows by column name; jsonb comes as text, see `loaded`."""
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


def loaded(value: str) -> Any:
    """Read a jsonb column of `rows`; Django leaves it as text in raw queries."""
    return json.loads(value)


def jsonb(value: object) -> Jsonb:
    """Give a value as a parameter for a jsonb column."""
    return Jsonb(value)


def insist(write: Callable[[], T], *, until: float) -> T:
    """
    Write to Postgres, again and again while it is away; `until` is on the monotonic clock.

    The same write twice must be the same as once: a connection may break in the middle of a COMMIT.

    :raises OperationalError: if it is still away then
    """
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if time.monotonic() + _PAUSE >= until or connection.in_atomic_block:
                raise
            log.warning("sql.postgres_away", reason=type(error).__name__)
            time.sleep(_PAUSE)
