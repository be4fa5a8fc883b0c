"""Whether the books are right after a run: every reply charged once, every balance the sum of its entries."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

_LEDGER = """
    SELECT (SELECT count(*) FROM credit_entries WHERE kind = 'charge') AS charges,
           (SELECT count(*) FROM credit_entries WHERE kind = 'refund') AS refunds,
           (SELECT count(*) FROM messages WHERE author = 'ai') AS replies,
           (SELECT count(*)
              FROM credits
             WHERE remaining_credits < 0
                OR remaining_credits <> (SELECT coalesce(sum(amount), 0)
                                           FROM credit_entries
                                          WHERE credit_entries.user_id = credits.user_id)) AS wrong_balances
"""
_DELIVERIES = "SELECT state, count(*) AS n FROM deliveries GROUP BY state ORDER BY n DESC"
_SIZES = """
    SELECT relname, pg_total_relation_size(oid) / 1024 AS kib
      FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
     ORDER BY kib DESC
     LIMIT 8
"""


def check(database: psycopg.Connection[Any]) -> dict[str, Any]:
    """Compare charges with replies and balances with entries, and count deliveries by their state."""
    with database.cursor(row_factory=dict_row) as cursor:
        ledger = cursor.execute(_LEDGER).fetchone()
        assert ledger is not None
        deliveries = {row["state"]: row["n"] for row in cursor.execute(_DELIVERIES)}
        sizes = {row["relname"]: row["kib"] for row in cursor.execute(_SIZES)}
    is_right = ledger["charges"] - ledger["refunds"] == ledger["replies"] and not ledger["wrong_balances"]
    numbers = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in ledger.items())
    return {
        **ledger,
        "is_right": is_right,
        "verdict": f"{'right' if is_right else 'WRONG'}: {numbers}",
        "deliveries": deliveries,
        "table_kib": sizes,
    }
