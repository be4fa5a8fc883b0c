"""Whether the books are right after a run: every reply charged once, every balance the sum of its entries."""

from typing import Any

from tests.load.system import System

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


def check(system: System) -> dict[str, Any]:
    """Compare charges with replies and balances with entries, and count deliveries by their state."""
    with system.database() as database:
        found = database.execute(_LEDGER).fetchone()
        assert found is not None
        deliveries = {row["state"]: row["n"] for row in database.execute(_DELIVERIES)}
        sizes = {row["relname"]: row["kib"] for row in database.execute(_SIZES)}
    is_right = found["charges"] - found["refunds"] == found["replies"] and not found["wrong_balances"]
    numbers = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in found.items())
    return {
        **found,
        "is_right": is_right,
        "verdict": f"{'right' if is_right else 'WRONG'}: {numbers}",
        "deliveries": deliveries,
        "table_kib": sizes,
    }
