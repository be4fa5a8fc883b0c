"""
Credits: every change of a balance is a line in the ledger, and every line a change of the balance.

The balance row is locked last of all rows a transaction locks: these calls stand at its end.
"""

from django.db import transaction

from billing.models import Credit, CreditEntry
from config.lib import cache, sql

Kind = CreditEntry.Kind


class InsufficientCreditsError(Exception):
    """The balance is smaller than what should be taken."""


def grant(*, user_id: str, amount: int, reference: str, reason: str = "") -> bool:
    """Add `amount` credits, once per reference; tell whether they were added now."""
    return _enter(Kind.GRANT, user_id=user_id, amount=amount, reference=reference, reason=reason)


def charge(*, user_id: str, amount: int, reference: str) -> None:
    """
    Take `amount` credits from the user, once per reference.

    :raises InsufficientCreditsError: if fewer than `amount` credits remain; nothing is taken
    """
    if amount == 0:
        return
    is_new = _enter(Kind.CHARGE, user_id=user_id, amount=-amount, reference=reference)
    if not is_new and not CreditEntry.objects.filter(kind=Kind.CHARGE, reference=reference).exists():
        raise InsufficientCreditsError


def refund(*, reference: str, reason: str = "") -> bool:
    """Give back what was charged under this reference, once; tell whether it was given back now."""
    charged = (
        CreditEntry.objects.filter(kind=Kind.CHARGE, reference=reference).values("user_id", "amount").first()
    )
    if charged is None:
        return False
    return _enter(
        Kind.REFUND, user_id=charged["user_id"], amount=-charged["amount"], reference=reference, reason=reason
    )


def balance(user_id: str) -> int:
    """Say what a user can still spend: a cached hint, dropped on every change; only `charge` decides."""
    return cache.get_or_read(_key(user_id), lambda: _read_balance(user_id))


def _key(user_id: str) -> str:
    return f"user:{user_id}:credits"


def _read_balance(user_id: str) -> int:
    return Credit.objects.values_list("remaining_credits", flat=True).filter(user_id=user_id).first() or 0


def _enter(kind: Kind, *, user_id: str, amount: int, reference: str, reason: str = "") -> bool:
    """Change the balance and write the line, or neither: not twice per reference, not below zero."""
    with transaction.atomic(savepoint=False):
        # On its own, so that the next statement sees what a rival wrote while we waited for the lock.
        sql.execute("SELECT 1 FROM credits WHERE user_id = %s FOR UPDATE", [user_id])
        is_new = sql.execute(
            _ENTER,
            {"kind": kind.value, "user": user_id, "amount": amount, "reference": reference, "reason": reason},
        )
    if is_new:
        cache.drop(_key(user_id))
    return bool(is_new)


_ENTER = """
    WITH changed AS (
        UPDATE credits
           SET remaining_credits = remaining_credits + %(amount)s, last_updated = statement_timestamp()
         WHERE user_id = %(user)s
           AND remaining_credits + %(amount)s >= 0
           AND NOT EXISTS (SELECT 1 FROM credit_entries WHERE kind = %(kind)s AND reference = %(reference)s)
        RETURNING remaining_credits)
    INSERT INTO credit_entries (user_id, kind, amount, reference, reason, balance_after, created_at)
    SELECT %(user)s, %(kind)s, %(amount)s, %(reference)s, %(reason)s, remaining_credits, statement_timestamp()
      FROM changed
"""
