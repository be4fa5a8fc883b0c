"""Tells a business that a channel of theirs does not work until a person acts; once an hour."""

import structlog

from billing import events
from config.lib import sql

log = structlog.get_logger(__name__)

QUIET = "1 hour"


def raise_alarm(*, phone_number_id: str, code: str, reason: str) -> bool:
    """Note a `channel.error` in the caller's transaction, and tell so, unless one was noted lately."""
    number = sql.row(_ALARMED, [phone_number_id, QUIET])
    if number is None:
        return False
    log.error("channel.error", phone_number_id=phone_number_id, code=code)
    events.record(
        user_id=number["user_id"],
        type=events.EventType.CHANNEL_ERROR,
        data={"phone_number_id": phone_number_id, "code": code, "reason": reason[:255]},
    )
    return True


_ALARMED = """
    UPDATE phone_numbers SET alarmed_at = statement_timestamp()
     WHERE phone_number_id = %s AND deleted_at IS NULL
       AND (alarmed_at IS NULL OR alarmed_at < statement_timestamp() - %s::interval)
    RETURNING user_id
"""
