"""What Postgres spent its time on, statement by statement, where the server can tell."""

from typing import Any

import psycopg

OPTIONS = (
    "-c", "shared_preload_libraries=pg_stat_statements",
    "-c", "pg_stat_statements.track_planning=on",
    "-c", "track_io_timing=on",
)  # fmt: skip
_MOST = 25
_LONGEST = 110
_TOP = """
    SELECT query, calls, total_plan_time AS plan_ms, total_exec_time AS exec_ms,
           rows, shared_blks_hit + shared_blks_read AS blocks, wal_bytes::float8 AS wal_bytes
      FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     ORDER BY total_plan_time + total_exec_time DESC
     LIMIT %s
"""
_TOTALS = """
    SELECT sum(calls)::float8 AS calls, sum(total_plan_time) AS plan_ms, sum(total_exec_time) AS exec_ms,
           sum(shared_blks_hit + shared_blks_read)::float8 AS blocks, sum(wal_bytes)::float8 AS wal_bytes,
           'all statements' AS query
      FROM pg_stat_statements
     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def begin(database: psycopg.Connection[dict[str, Any]]) -> None:
    """Count from now on."""
    database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    database.execute("SELECT pg_stat_statements_reset()")


def top(database: psycopg.Connection[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the statements that took longest in all; waiting for locks and disks is part of it."""
    return [row | {"query": " ".join(row["query"].split())} for row in database.execute(_TOP, [_MOST])]


def totals(database: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    """Add up all statements."""
    found = database.execute(_TOTALS).fetchone()
    assert found is not None
    return found


def table(rows: list[dict[str, Any]], messages: int) -> str:
    """Write them down, a line each, by message."""
    lines = ["per message:  calls    ms  of it planning  blocks  WAL KB  statement"]
    lines += [
        f"{row['calls'] / messages:19.2f}{(row['plan_ms'] + row['exec_ms']) / messages:7.3f}"
        f"{row['plan_ms'] / messages:13.3f}{row['blocks'] / messages:10.1f}"
        f"{row['wal_bytes'] / messages / 1000:8.2f}  {row['query'][:_LONGEST]}"
        for row in rows
    ]
    return "\n".join(lines)
