"""Fills in a history before a run: what businesses have after some time, in rows of the same shape."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from tests.load import history_rows

TABLES = (
    *("customers", "conversations", "inbound_messages", "turns", "messages", "deliveries", "channel_events"),
    "credit_entries",
)
# Customers' messages and replies together; the average.
_MESSAGES_PER_CONVERSATION = 20
# Nothing is purged so soon; no limit on replies looks back to the youngest day.
_DAYS = 20
_YOUNGEST_DAYS = 1
# Of every index but primary keys, which foreign keys depend on.
_INDEXES_SQL = """
    SELECT indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid), contype = 'u'
      FROM pg_index
      LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
     WHERE indrelid = ANY (%s::regclass[]) AND coalesce(contype, 'u') = 'u'
     ORDER BY indexrelid
"""


def fill(database: psycopg.Connection[Any], messages: int) -> None:
    """
    Insert so many messages with customers, conversations, turns, deliveries, statuses and charges.

    They belong to the businesses that exist, but to customers of their own, who do not write again.
    """
    exchanges = max(messages // 2, 1)
    start = datetime.now(UTC) - timedelta(days=_DAYS)
    step = timedelta(days=_DAYS - _YOUNGEST_DAYS) / exchanges
    parameters = {
        "start": start,
        "start_ms": int(start.timestamp() * 1000),
        "step": step,
        "step_ms": step.total_seconds() * 1000,
        "exchanges": exchanges,
        "conversations": max(messages // _MESSAGES_PER_CONVERSATION, 1),
    }
    with database.transaction(), psycopg.ClientCursor(database, row_factory=tuple_row) as cursor:
        cursor.execute(history_rows.MADE_ID_SQL)
        with _bulk_loading(cursor), _without_indexes(cursor):
            for statement in (
                history_rows.PERSONS_SQL,
                history_rows.EXCHANGES_SQL,
                *history_rows.FILLING_SQL,
            ):
                cursor.execute(statement, parameters)
        cursor.execute("DROP FUNCTION pg_temp.made_id")


def settle(database: psycopg.Connection[Any]) -> None:
    """Vacuum and analyze the filled tables, as autovacuum has done on a system of that age."""
    database.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    database.execute("CHECKPOINT")


@contextmanager
def _bulk_loading(cursor: psycopg.Cursor[Any]) -> Iterator[None]:
    """Skip the checks of foreign keys, which a test makes instead, and take memory for sorting."""
    cursor.execute("SET LOCAL session_replication_role = replica")
    cursor.execute("SET LOCAL statement_timeout = 0")
    cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
    cursor.execute("SET LOCAL work_mem = '256MB'")
    cursor.execute("SET LOCAL max_parallel_maintenance_workers = 0")
    yield
    cursor.execute("SET LOCAL session_replication_role = origin")


@contextmanager
def _without_indexes(cursor: psycopg.Cursor[Any]) -> Iterator[None]:
    """Drop indexes and create them again, faster than adding rows one by one; unique keys are checked."""
    indexes = cursor.execute(_INDEXES_SQL, [list(TABLES)]).fetchall()
    for table, name, _, is_constraint in indexes:
        cursor.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {name}" if is_constraint else f"DROP INDEX {name}"
        )
    yield
    for table, name, definition, is_constraint in indexes:
        cursor.execute(definition)
        if is_constraint:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")
