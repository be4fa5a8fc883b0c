"""Raw SQL for the hot path, where a statement says more in fewer round trips than the ORM can."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connection
from psycopg import Cursor
from psycopg_pool.base import AttemptWithBackoff

Parameters = Mapping[str, Any] | Sequence[Any]
T = TypeVar("T")

log = structlog.get_logger(__name__)
_PAUSE = 0.5

# While Postgres is away the pool tries to connect once a second. The pool's own pauses double each time, so a
# process stayed without Postgres after an outage for as long again, and lost the leases of its turns.
AttemptWithBackoff.DELAY_BACKOFF = 1.0

# A primary that was demoted, or a standby: connections to it are of no use for writing.
READ_ONLY = "25006"
# SQLSTATEs of a Postgres that is away, too busy or takes no writes: the same statement may pass later.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNAVAILABLE_CLASSES = (
    "08",  # connection exceptions, also of poolers in between
    "28",  # authentication fails, as it does during a change of passwords
    "53",  # out of connections, memory or disk
    "57",  # shutdown, crash, start-up, and statement_timeout
    "58",  # I/O errors
)
_UNAVAILABLE_CODES = frozenset(
    {
        READ_ONLY,
        "25P03",  # idle_in_transaction_session_timeout: the connection is gone
        "25P04",  # transaction_timeout: the connection is gone
        "40001",  # serialization failure
        "40003",  # statement completion unknown
        "40P01",  # deadlock
        "55P03",  # lock_timeout
    }
)


def rows(statement: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """Run a statement and give its rows by column name."""
    with _run(statement, parameters) as cursor:
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def row(statement: str, parameters: Parameters = ()) -> dict[str, Any] | None:
    """Run a statement and give its first row, if it has one."""
    fetched = rows(statement, parameters)
    return fetched[0] if fetched else None


def execute(statement: str, parameters: Parameters = ()) -> int:
    """Run a statement and say how many rows it touched."""
    with _run(statement, parameters) as cursor:
        return int(cursor.rowcount)


def execute_in_batches(statement: str, parameters: Parameters) -> int:
    """Run a statement that changes a batch of rows until it changes none; return how many in all."""
    changed = 0
    while batch := execute(statement, parameters):
        changed += batch
    return changed


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


def from_jsonb(value: str) -> Any:
    """Read a jsonb column of `rows`; Django leaves it as text."""
    return json.loads(value)


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that Postgres gave for an error of Django's or psycopg's, if it gave one."""
    source = error if isinstance(error, psycopg.Error) else error.__cause__
    return source.sqlstate if isinstance(source, psycopg.Error) else None


def is_unavailable(error: BaseException) -> bool:
    """
    Check whether an error means that Postgres is away, overloaded or read-only at the moment.

    Nothing is wrong with the statement then: it may be repeated later. Any other error would come again.
    """
    code = sqlstate(error)
    if code is None:
        # No answer of the server: no connection, a lost one, or none free in the pool.
        away = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
        return isinstance(error, away)
    return code in _UNAVAILABLE_CODES or code.startswith(_UNAVAILABLE_CLASSES)


def is_about_schema(error: BaseException) -> bool:
    """
    Check whether an error means that a table, column or right is missing, as before a migration.

    The rows that were to be written have nothing to do with it.
    """
    return (sqlstate(error) or "").startswith("42")


def is_writable() -> bool:
    """Check whether Postgres takes writes: a standby and a demoted primary take none."""
    setting = row("SELECT current_setting('transaction_read_only') AS is_read_only")
    if setting and setting["is_read_only"] == "off":
        return True
    if connection.connection is not None:
        connection.connection.close()
    return False


def discard_if_read_only(error: BaseException) -> None:
    """
    Close the connection, so that the pool replaces it, if `error` says that its server is read-only.

    After a failover, pooled connections may still lead to the former primary.
    """
    if sqlstate(error) == READ_ONLY and connection.connection is not None:
        connection.connection.close()


def release_connection() -> None:
    """Return this thread's connection to the pool, unless a transaction is open on it."""
    if not connection.in_atomic_block:
        connection.close()


@contextlib.contextmanager
def tolerating_outage(what: str) -> Iterator[None]:
    """Leave a job to its next run while Postgres is away: nothing is lost; `what` is logged."""
    try:
        yield
    except Exception as error:
        if not is_unavailable(error):
            raise
        discard_if_read_only(error)
        event = f"{what}.postgres_away"
        log.warning(event, reason=type(error).__name__)


def retry_until(write: Callable[[], T], *, until: float) -> T:
    """
    Write to Postgres, again and again while it is away; `until` is on the monotonic clock.

    The same write twice must be the same as once: a connection may break in the middle of a COMMIT.

    :raises Error: (django.db) if it is still away then, see `is_unavailable`
    """
    while True:
        try:
            return write()
        except Exception as error:
            if not is_unavailable(error):
                raise
            is_inside = connection.in_atomic_block
            discard_if_read_only(error)
            connection.close()
            if time.monotonic() + _PAUSE >= until or is_inside:
                raise
            log.warning("sql.postgres_away", reason=type(error).__name__)
            time.sleep(_PAUSE)
