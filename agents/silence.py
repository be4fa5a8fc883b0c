"""
Numbers that used to receive messages and no longer do: a webhook that is not delivered raises no error here.

A number is silent when nothing came for SILENCE_ALARM_HOURS and for twice its longest pause of the two weeks
before, so that a quiet night or weekend is none.
"""

from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import events
from billing.events import EventType
from config.lib import sql

log = structlog.get_logger(__name__)

# The time before the last message in which pauses are measured, and the fewest messages that tell a habit.
HABIT = timedelta(days=14)
FEWEST = 20
# Messages that are looked at for it.
_MOST = 2_000
# A number that is silent for longer has been given up.
_FORGOTTEN = timedelta(days=60)


def report_all() -> int:
    """Raise `number.silent` for each number that fell silent, once; return how many were raised."""
    hours = settings.SILENCE_ALARM_HOURS
    if not hours:
        return 0
    quiet = sql.rows(_QUIET_SQL, {"silence": timedelta(hours=hours), "forgotten": _FORGOTTEN})
    return sum(_report(row) for row in quiet)


def _report(number: dict[str, Any]) -> bool:
    habit = sql.row(
        _HABIT_SQL,
        {"number": number["phone_number_id"], "last": number["last_at"], "habit": HABIT, "most": _MOST},
    )
    if habit is None or habit["messages"] < FEWEST or number["silence"] < 2 * habit["longest"]:
        return False
    with transaction.atomic():
        row = sql.row(_MARK_SQL, {"number": number["phone_number_id"], "last": number["last_at"]})
        if row is None:
            return False
        events.record(
            user_id=row["user_id"],
            type=EventType.NUMBER_SILENT,
            data={
                "phone_number_id": number["phone_number_id"],
                "channel": row["type"],
                "last_received_at": number["last_at"].isoformat(),
                "longest_pause_seconds": int(habit["longest"].total_seconds()),
            },
        )
    log.warning(
        "number.silent",
        phone_number_id=number["phone_number_id"],
        hours=int(number["silence"].total_seconds() // 3600),
    )
    return True


# messages_by_number, inbound_waiting_by_number: of an active number the newest few rows.
_QUIET_SQL = """
    SELECT number.phone_number_id, last.at AS last_at, statement_timestamp() - last.at AS silence
      FROM phone_numbers AS number
     CROSS JOIN LATERAL (
           SELECT message.timestamp AS at FROM messages AS message
            WHERE message.phone_number_id = number.phone_number_id AND message.sender = 'user'
            ORDER BY message.timestamp DESC, message.message_id DESC
            LIMIT 1) AS last
     WHERE number.deleted_at IS NULL
       AND last.at < statement_timestamp() - %(silence)s
       AND last.at > statement_timestamp() - %(forgotten)s
       AND (number.silent_at IS NULL OR number.silent_at < last.at)
       AND NOT EXISTS (
           SELECT 1 FROM inbound_messages AS inbound
            WHERE inbound.phone_number_id = number.phone_number_id AND inbound.status = 'pending')
"""
_HABIT_SQL = """
    SELECT count(*) AS messages, max(at - before) AS longest
      FROM (SELECT at, lag(at) OVER (ORDER BY at) AS before
              FROM (SELECT message.timestamp AS at FROM messages AS message
                     WHERE message.phone_number_id = %(number)s AND message.sender = 'user'
                       AND message.timestamp BETWEEN %(last)s::timestamptz - %(habit)s AND %(last)s
                     ORDER BY message.timestamp DESC, message.message_id DESC
                     LIMIT %(most)s) AS newest) AS pauses
"""
_MARK_SQL = """
    UPDATE phone_numbers SET silent_at = statement_timestamp()
     WHERE phone_number_id = (
           SELECT phone_number_id FROM phone_numbers
            WHERE phone_number_id = %(number)s AND deleted_at IS NULL
              AND (silent_at IS NULL OR silent_at < %(last)s)
              FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING user_id, type
"""
