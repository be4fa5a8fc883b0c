"""What the load wrote to each table and read by each index, from Postgres's own statistics."""

from typing import Any

import psycopg

Counts = dict[str, dict[str, float]]

_TABLES_SQL = """
    SELECT relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot,
           n_tup_newpage_upd AS moved, autovacuum_count AS vacuums
      FROM pg_stat_user_tables
"""
_INDEXES_SQL = """
    SELECT relname || '.' || indexrelname AS name, idx_scan AS scans, indisunique::int AS is_unique
      FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
"""


def read(database: psycopg.Connection[dict[str, Any]]) -> Counts:
    """Return the counters of all tables and indexes, by name."""
    rows = [row for statement in (_TABLES_SQL, _INDEXES_SQL) for row in database.execute(statement)]
    return {row.pop("name"): row for row in rows}


def since(before: Counts, after: Counts) -> Counts:
    """Return by how much the counters of the tables that were written, and of their indexes, rose."""
    rose = {
        name: {key: value - before.get(name, {}).get(key, 0) for key, value in counts.items()}
        | {key: value for key, value in counts.items() if key.startswith("is_")}
        for name, counts in after.items()
    }
    written = {name for name, counts in rose.items() if counts.get("inserted") or counts.get("updated")}
    return {name: counts for name, counts in rose.items() if name.partition(".")[0] in written}


def hot_ratio(counts: dict[str, float]) -> float:
    """Return the share of a table's updates that wrote no index: HOT updates."""
    return counts["hot"] / counts["updated"] if counts["updated"] else 0.0


def table(rose: Counts, messages: int) -> str:
    """Format the counters, a line for each table; of its indexes, how often each was read for a message."""
    tables = {name: counts for name, counts in rose.items() if "." not in name}
    lines = ["per message: inserts  updates  HOT  other page  vacuums  table, reads of its indexes"]
    for name, counts in sorted(tables.items(), key=lambda each: -each[1]["updated"]):
        indexes = {
            index.partition(".")[2]: found["scans"]
            for index, found in rose.items()
            if index.startswith(f"{name}.")
        }
        reads = ", ".join(f"{index} {scans / messages:.2f}" for index, scans in sorted(indexes.items()))
        updated = counts["updated"]
        lines.append(
            f"{counts['inserted'] / messages:20.2f}{updated / messages:9.2f}{hot_ratio(counts):5.0%}"
            f"{counts['moved'] / max(updated, 1):12.0%}{counts['vacuums']:9.0f}  {name}: {reads}"
        )
    return "\n".join(lines)
