"""
Credits: every change of a balance is a line in the ledger, and every line a change of the balance.

The balance row is locked last of all rows a transaction locks: these calls stand at its end.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from billing import audit, thresholds
from billing.audit import Action
from billing.models import Credit, CreditEntry
from config.lib import cache, sql

Kind = CreditEntry.Kind

# How long the balance that is shown may be behind, in seconds.
HINT_TTL = 5


class InsufficientCreditsError(Exception):
    """The balance is smaller than what should be taken."""


@transaction.atomic
def grant(*, user_id: str, amount: int, reference: str, reason: str = "", actor: str = "") -> bool:
    """Add `amount` credits, once per reference; tell whether they were added now."""
    is_new = _give(
        Kind.GRANT, user_id=user_id, amount=amount, reference=reference, reason=reason, actor=actor
    )
    if is_new:
        _audit(Action.CREDITS_GRANTED, user_id, amount=amount, reason=reason)
    return is_new


def charge(*, user_id: str, amount: int, reference: str) -> None:
    """
    Take `amount` credits from the user, once per reference.

    :raises InsufficientCreditsError: if fewer than `amount` credits remain; nothing is taken
    """
    if amount == 0:
        return
    with transaction.atomic(savepoint=False):
        after = _enter(Kind.CHARGE, user_id=user_id, amount=-amount, reference=reference)
        is_done = after is not None or _is_entered(Kind.CHARGE, reference)
        has_crossed = (
            thresholds.tell(user_id, after) if is_done else thresholds.tell_exhausted(user_id, price=amount)
        )
    if has_crossed:
        cache.drop(_key(user_id))
    if not is_done:
        raise InsufficientCreditsError


def charge_all(charges: Sequence[tuple[str, str]], *, amount: int) -> set[str]:
    """
    Take `amount` credits for each user id and reference, and return the references that are not paid for.

    Earlier charges go first. The references are new: if one was charged before, all are refused.

    :raises IntegrityError: (django.db) if a reference was charged before; nothing is taken
    """
    if not amount or not charges:
        return set()
    with transaction.atomic(savepoint=False):
        paid = sql.rows(
            _CHARGE_ALL,
            {
                "users": [user_id for user_id, _ in charges],
                "references": [reference for _, reference in charges],
                "amount": amount,
            },
        )
        unpaid = {reference for _, reference in charges} - {row["reference"] for row in paid}
        after = {row["user_id"]: row for row in paid}
        for user_id in sorted({user_id for user_id, reference in charges if reference in unpaid}):
            if thresholds.tell_exhausted(user_id, price=amount):
                cache.drop(_key(user_id))
        for user_id, balance_row in sorted(after.items()):
            if thresholds.tell(user_id, balance_row):
                cache.drop(_key(user_id))
    return unpaid


@transaction.atomic
def refund(*, reference: str, reason: str = "", actor: str = "") -> bool:
    """
    Refund the charge under this reference, once; return whether it was refunded now.

    `actor` names the person who refunds; only then the audit log has an entry.
    """
    charged = (
        CreditEntry.objects.filter(kind=Kind.CHARGE, reference=reference).values("user_id", "amount").first()
    )
    if charged is None:
        return False
    user_id, amount = charged["user_id"], -charged["amount"]
    is_new = _give(
        Kind.REFUND, user_id=user_id, amount=amount, reference=reference, reason=reason, actor=actor
    )
    if is_new and actor:
        _audit(Action.CREDITS_REFUNDED, user_id, amount=amount, reason=reason)
    return is_new


def adjust(*, user_id: str, amount: int, reference: str, reason: str, actor: str) -> bool:
    """
    Correct a balance by hand, up or down, once per reference; tell whether it was changed now.

    :raises InsufficientCreditsError: if more should be taken than there is; nothing is taken
    """
    if amount == 0:
        return False
    with transaction.atomic(savepoint=False):
        after = _enter(
            Kind.ADJUSTMENT,
            user_id=user_id,
            amount=amount,
            reference=reference,
            reason=reason,
            actor=actor,
        )
        is_done = after is not None or _is_entered(Kind.ADJUSTMENT, reference)
        thresholds.tell(user_id, after)
        if after is not None:
            _audit(Action.CREDITS_ADJUSTED, user_id, amount=amount, reason=reason)
    if not is_done:
        raise InsufficientCreditsError
    cache.drop(_key(user_id))
    return after is not None


def balance(user_id: str) -> int:
    """
    Return what a business can still spend: a hint, only `charge` decides.

    A grant, a refund, an adjustment and a threshold show at once. Charges are too many for a round trip to
    Redis each: they show after at most HINT_TTL seconds.
    """
    return cache.get_or_read(_key(user_id), lambda: _read_balance(user_id), ttl=HINT_TTL)


def _audit(action: Action, user_id: str, *, amount: int, reason: str) -> None:
    changes = audit.difference({}, {"amount": amount, "reason": reason})
    audit.record(action, user_id, user_id=user_id, changes=changes)


def _key(user_id: str) -> str:
    return f"user:{user_id}:credits"


def _read_balance(user_id: str) -> int:
    return Credit.objects.values_list("remaining_credits", flat=True).filter(user_id=user_id).first() or 0


def _give(kind: Kind, *, user_id: str, amount: int, reference: str, reason: str, actor: str = "") -> bool:
    entered = _enter(kind, user_id=user_id, amount=amount, reference=reference, reason=reason, actor=actor)
    is_new = entered is not None
    if is_new:
        cache.drop(_key(user_id))
    return is_new


def _is_entered(kind: Kind, reference: str) -> bool:
    return CreditEntry.objects.filter(kind=kind, reference=reference).exists()


def _enter(
    kind: Kind, *, user_id: str, amount: int, reference: str, reason: str = "", actor: str = ""
) -> dict[str, Any] | None:
    """
    Write the line and change the balance, or neither: not twice per reference, not below zero.

    Gives the balance's row as it is now; None if nothing was entered.
    """
    return sql.row(
        _ENTER,
        {
            "kind": kind.value,
            "user": user_id,
            "amount": amount,
            "reference": reference,
            "reason": reason,
            "actor": actor,
            "fills": amount > 0 and kind in {Kind.GRANT, Kind.ADJUSTMENT},
        },
    )


# One statement, and right among rivals: the lock waits for them and reads what they left, the unique index
# sees their line even where the statement's snapshot does not, and the balance follows from the line. What is
# too small is not locked: the claim that finds it so goes on to other customers.
_ENTER = """
    WITH locked AS (
        SELECT remaining_credits + %(amount)s AS balance
          FROM credits
         WHERE user_id = %(user)s AND remaining_credits + %(amount)s >= 0
           FOR UPDATE),
    line AS (
        INSERT INTO credit_entries (user_id, kind, amount, reference, reason, actor, balance_after,
                                    created_at)
        SELECT %(user)s, %(kind)s, %(amount)s, %(reference)s, %(reason)s, %(actor)s, balance,
               statement_timestamp()
          FROM locked
            ON CONFLICT (kind, reference) DO NOTHING
        RETURNING balance_after)
    UPDATE credits
       SET remaining_credits = line.balance_after,
           full_balance = CASE WHEN %(fills)s THEN line.balance_after ELSE full_balance END,
           told_percent = CASE WHEN %(fills)s THEN 100 ELSE told_percent END,
           last_updated = statement_timestamp()
      FROM line
     WHERE credits.user_id = %(user)s
    RETURNING remaining_credits, full_balance, told_percent
"""

# As `_ENTER`, for many charges of one amount: the locks are taken in one order, and each line has the balance
# that its own charge left.
_CHARGE_ALL = """
    WITH wanted AS (
        SELECT user_id, reference, row_number() OVER (PARTITION BY user_id ORDER BY place) AS nth
          FROM unnest(%(users)s::varchar[], %(references)s::varchar[]) WITH ORDINALITY
                   AS charge (user_id, reference, place)),
    locked AS (
        SELECT user_id, remaining_credits
          FROM credits
         WHERE user_id = ANY(%(users)s::varchar[]) AND remaining_credits >= %(amount)s
         ORDER BY user_id
           FOR UPDATE),
    line AS (
        INSERT INTO credit_entries (user_id, kind, amount, reference, reason, actor, balance_after,
                                    created_at)
        SELECT user_id, 'charge', -%(amount)s, reference, '', '', remaining_credits - nth * %(amount)s,
               statement_timestamp()
          FROM locked JOIN wanted USING (user_id)
         WHERE remaining_credits >= nth * %(amount)s
         ORDER BY user_id, nth
        RETURNING user_id, reference, balance_after),
    lowest AS (
        SELECT user_id, min(balance_after) AS balance FROM line GROUP BY user_id),
    changed AS (
        UPDATE credits
           SET remaining_credits = lowest.balance, last_updated = statement_timestamp()
          FROM lowest
         WHERE credits.user_id = lowest.user_id
        RETURNING credits.user_id, remaining_credits, full_balance, told_percent)
    SELECT reference, changed.* FROM line JOIN changed USING (user_id)
"""
