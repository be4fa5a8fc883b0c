"""
Record events when credits run low: at 20 %, 5 % and nothing of the balance after the last grant.

One event per threshold and grant: a refund that goes above a threshold and a charge that crosses it again
record nothing. The balance is checked in the statement that marks the threshold, which keeps the row locked
until the transaction ends: so each event states a balance that is true when it commits.
"""

from typing import Any

from billing import events
from billing.events import EventType
from config.lib import sql

PERCENTS = (0, 5, 20)


def tell(user_id: str, credit: dict[str, Any] | None) -> bool:
    """Note an event if a balance that was just changed reached a threshold; its row is still locked."""
    if credit is None:
        return False
    reached = _lowest_reached(credit["remaining_credits"], credit["full_balance"])
    if reached is None or reached >= credit["told_percent"]:
        return False
    return _tell(user_id, reached, price=0)


def tell_exhausted(user_id: str, *, price: int) -> bool:
    """Record that the balance does not pay a `price`, once per grant, unless a grant has changed that."""
    return _tell(user_id, 0, price=price)


def _lowest_reached(remaining: int, full: int) -> int | None:
    return next((percent for percent in PERCENTS if remaining * 100 <= percent * full), None)


def _tell(user_id: str, percent: int, *, price: int) -> bool:
    credit = sql.row(_MARK, {"user": user_id, "percent": percent, "price": price})
    if credit is None:
        return False
    events.record(
        user_id=user_id,
        type=EventType.CREDITS_LOW if percent else EventType.CREDITS_EXHAUSTED,
        data={**credit, "threshold_percent": percent},
    )
    return True


# After a wait for a concurrent grant Postgres checks all conditions again, on the row that the grant left.
_MARK = """
    UPDATE credits SET told_percent = %(percent)s
     WHERE user_id = %(user)s AND told_percent > %(percent)s
       AND (remaining_credits::bigint * 100 <= %(percent)s * full_balance::bigint
            OR remaining_credits < %(price)s)
    RETURNING remaining_credits, full_balance
"""
