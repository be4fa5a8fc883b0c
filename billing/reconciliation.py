"""
Proves the balances: each is the sum of its lines, and each line follows from the one before.

Everything is looked at in one statement, so in one state of the database, whatever is charged meanwhile.
"""

from dataclasses import dataclass

from django.db import transaction

from config.lib import sql


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a user's ledger breaks; `entry_id` is the line, none where it is the balance itself."""

    user_id: str
    entry_id: int | None
    rule: str

    def __str__(self) -> str:
        where = "balance" if self.entry_id is None else f"line {self.entry_id}"
        return f"{self.user_id}, {where}: {self.rule}"


def faults(*, user_id: str | None = None) -> list[Fault]:
    """List what is wrong with the ledger of one user, or of all."""
    with transaction.atomic():
        # The whole ledger may take longer than a statement of the service may.
        sql.execute("SET LOCAL statement_timeout = 0")
        rows = sql.rows(_FAULTS, {"user": user_id})
    return [Fault(**row) for row in rows]


# `drift` is how far a line stands from the sum of all up to it: it may change nowhere. A line whose balance
# alone is wrong drifts, and the next one, which is right, comes back.
_FAULTS = """
    WITH entry AS (
        SELECT * FROM credit_entries WHERE user_id = %(user)s OR %(user)s::text IS NULL),
    summed AS (
        SELECT id, user_id, kind, amount, reference, balance_after,
               balance_after - sum(amount) OVER (PARTITION BY user_id ORDER BY id) AS drift
          FROM entry),
    chained AS (
        SELECT *, lag(drift, 1, 0::bigint) OVER (PARTITION BY user_id ORDER BY id) AS drift_before
          FROM summed),
    refund AS (
        SELECT id, user_id, reference, sum(amount) OVER (PARTITION BY reference ORDER BY id) AS given_back
          FROM entry
         WHERE kind = 'refund'),
    total AS (
        SELECT user_id, sum(amount) AS balance FROM entry GROUP BY user_id)
    SELECT user_id, id AS entry_id,
           'balance after it is ' || balance_after || ', off by ' || drift - drift_before AS rule
      FROM chained
     WHERE drift <> drift_before AND drift <> 0
     UNION ALL
    SELECT user_id, id, 'balance after it is negative: ' || balance_after FROM entry WHERE balance_after < 0
     UNION ALL
    SELECT user_id, id, kind || ' of ' || amount
      FROM entry
     WHERE amount = 0 OR (amount < 0 AND kind IN ('grant', 'refund')) OR (amount > 0 AND kind = 'charge')
     UNION ALL
    SELECT refund.user_id, refund.id,
           CASE WHEN charge.id IS NULL THEN 'refund without a charge'
                ELSE 'gives back ' || given_back || ' of a charge of ' || -charge.amount END
      FROM refund
      LEFT JOIN credit_entries AS charge
             ON charge.kind = 'charge' AND charge.reference = refund.reference
                AND charge.user_id = refund.user_id AND charge.id < refund.id
     WHERE charge.id IS NULL OR given_back > -charge.amount
     UNION ALL
    SELECT user_id, NULL,
           'is ' || COALESCE(credits.remaining_credits::text, 'missing')
                 || ' and its lines sum up to ' || COALESCE(total.balance, 0)
      FROM (SELECT * FROM credits WHERE user_id = %(user)s OR %(user)s::text IS NULL) AS credits
      FULL JOIN total USING (user_id)
     WHERE credits.remaining_credits IS DISTINCT FROM COALESCE(total.balance, 0)
     ORDER BY 1, 2 NULLS FIRST
"""
