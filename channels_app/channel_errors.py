"""Tells a business that a channel of theirs does not work until a person acts; once an hour."""

import structlog

from billing import events
from config.lib import sql

log = structlog.get_logger(__name__)

QUIET = "1 hour"


def record(*, phone_number_id: str, code: str, reason: str) -> bool:
    """
    Note a `channel.error` in the caller's transaction and return whether it was, unless one was noted lately.

    Nor is one noted while another transaction has locked the number: the next failure raises it.
    """
    reason = reason[:255]
    number = sql.row(
        _ALARMED, {"number": phone_number_id, "quiet": QUIET, "code": code[:50], "reason": reason}
    )
    if number is None:
        return False
    log.error("channel.error", phone_number_id=phone_number_id, code=code)
    events.record(
        user_id=number["user_id"],
        type=events.EventType.CHANNEL_ERROR,
        data={"phone_number_id": phone_number_id, "code": code, "reason": reason},
    )
    return True


# Numbers come first in the order of all locks, and the caller has locked messages by now: so this waits for
# nobody.
_ALARMED = """
    UPDATE phone_numbers
       SET alarmed_at = statement_timestamp(), alarm_code = %(code)s, alarm_reason = %(reason)s
     WHERE phone_number_id = (
           SELECT phone_number_id FROM phone_numbers
            WHERE phone_number_id = %(number)s AND deleted_at IS NULL
              AND (alarmed_at IS NULL OR alarmed_at < statement_timestamp() - %(quiet)s::interval)
              FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING user_id
"""
