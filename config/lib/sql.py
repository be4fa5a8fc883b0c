"""Raw SQL for the hot path, where a statement says more in fewer round trips than the ORM can."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection
from psycopg import Cursor

Parameters = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")

log = structlog.get_logger(__name__)
_PAUSE = 0.5


def rows(statement: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """Run a statement and give its rows by column name."""
    with _run(statement, parameters) as cursor:
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def row(statement: str, parameters: Parameters = ()) -> dict[str, Any] | None:
    """Run a statement and give its first row, if it has one."""
    found = rows(statement, parameters)
    return found[0] if found else None


def execute(statement: str, parameters: Parameters = ()) -> int:
    """Run a statement and say how many rows it touched."""
    with _run(statement, parameters) as cursor:
        return int(cursor.rowcount)


@contextlib.contextmanager
def _run(statement: str, parameters: Parameters) -> Iterator[Any]:
    """
    Run a statement that Postgres has to parse and plan only once for each connection.

    Django's cursor puts the parameters into the text, so that each execution is planned anew: that took
    longer than the execution itself.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if connection.needs_rollback:
        connection.validate_no_broken_transaction()
    # Where Django counts queries, as in tests, it is to count these too.
    opened = connection.cursor() if connection.queries_logged else Cursor(connection.connection)
    with opened as cursor, connection.wrap_database_errors:
        cursor.execute(statement, parameters or None)
        yield cursor


def loaded(value: str) -> Any:
    """Read a jsonb column of `rows`; Django leaves it as text."""
    return json.loads(value)


@contextlib.contextmanager
def may_be_away(what: str) -> Iterator[None]:
    """Leave a job to whoever rings for it next while Postgres is away: nothing is lost; `what` is logged."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        event = f"{what}.postgres_away"
        log.warning(event, reason=type(error).__name__)


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
