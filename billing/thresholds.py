"""
Tells a business that its credits run low: at 20 %, 5 % and nothing of what there was after the last grant.

Each is told once per grant: a refund that goes above and a charge that crosses it again say nothing.
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
    return _tell(user_id, reached)


def tell_exhausted(user_id: str) -> bool:
    """Note that what is left does not pay for a reply, unless that was told already."""
    return _tell(user_id, 0)


def _lowest_reached(remaining: int, full: int) -> int | None:
    return next((percent for percent in PERCENTS if remaining * 100 <= percent * full), None)


def _tell(user_id: str, percent: int) -> bool:
    credit = sql.row(_MARK, {"user": user_id, "percent": percent})
    if credit is None:
        return False
    events.record(
        user_id=user_id,
        type=EventType.CREDITS_LOW if percent else EventType.CREDITS_EXHAUSTED,
        data={**credit, "threshold_percent": percent},
    )
    return True


_MARK = """
    UPDATE credits SET told_percent = %(percent)s
     WHERE user_id = %(user)s AND told_percent > %(percent)s
    RETURNING remaining_credits, full_balance
"""
