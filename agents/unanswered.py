"""
Numbers on which customers wait because no agent answers there.

Their messages stay `pending` in the inbox. Once an agent is put on the number, the sweeper has them answered.
"""

from typing import Any

import structlog
from django.db import transaction

from billing import events
from billing.events import EventType
from config.lib import sql

log = structlog.get_logger(__name__)

# A number is reported once in this time.
QUIET = "1 day"
# Waiting messages that are counted of one number.
MOST_COUNTED = 1000


@transaction.atomic
def report(*, phone_number_id: str) -> bool:
    """
    Raise `number.unanswered` if customers wait on a number without an agent; return whether it was raised.

    At most once in QUIET: until then a call is one look at the number's row and writes nothing.
    """
    number = sql.row(_REPORT_SQL, {"number": phone_number_id, "quiet": QUIET})
    if number is None:
        return False
    log.warning("number.unanswered", phone_number_id=phone_number_id)
    events.record(
        user_id=number["user_id"],
        type=EventType.NUMBER_UNANSWERED,
        data={
            "phone_number_id": phone_number_id,
            "channel": number["type"],
            "reason": "no_agent",
            "waiting_since": number["since"].isoformat(),
        },
    )
    return True


def numbers(*, most: int = 10) -> list[dict[str, Any]]:
    """Return the numbers on which customers wait and no agent answers, the longest waiting first."""
    return sql.rows(_NUMBERS_SQL, {"most": most, "counted": MOST_COUNTED})


def waiting(*, phone_number_id: str) -> dict[str, Any]:
    """Return how many messages wait on a number (at most MOST_COUNTED), and since when (None: none waits)."""
    row = sql.row(_WAITING_SQL, {"number": phone_number_id, "counted": MOST_COUNTED})
    assert row is not None
    return row


_HAS_NO_AGENT = """
    NOT EXISTS (SELECT 1 FROM agents
                 WHERE agents.phone_number_id = number.phone_number_id AND agents.deleted_at IS NULL)
"""
# inbound_waiting_by_number. BETWEEN, and not `=`: sorted by both columns, rows come from that index only.
_OLDEST = """
    (SELECT received_at FROM inbound_messages AS message
      WHERE message.phone_number_id BETWEEN number.phone_number_id AND number.phone_number_id
        AND message.status = 'pending'
      ORDER BY message.phone_number_id, message.id LIMIT 1)
"""
_REPORT_SQL = f"""
    UPDATE phone_numbers AS number SET unanswered_at = statement_timestamp()
     WHERE phone_number_id = %(number)s AND deleted_at IS NULL
       AND (unanswered_at IS NULL OR unanswered_at < statement_timestamp() - %(quiet)s::interval)
       AND {_HAS_NO_AGENT} AND {_OLDEST} IS NOT NULL
    RETURNING user_id, type, {_OLDEST} AS since
"""  # noqa: S608  (our own words)
_WAITING = """
    SELECT count(*) AS messages, min(received_at) AS since
      FROM (SELECT received_at FROM inbound_messages AS message
             WHERE message.phone_number_id BETWEEN {number} AND {number} AND message.status = 'pending'
             ORDER BY message.phone_number_id, message.id LIMIT %(counted)s) AS oldest
"""
_WAITING_SQL = _WAITING.format(number="%(number)s")
# A row for each number of the service, and one look into inbound_waiting_by_number for each without an agent.
_NUMBERS_SQL = f"""
    SELECT number.phone_number_id, number.display_name, waiting.messages, waiting.since
      FROM phone_numbers AS number
     CROSS JOIN LATERAL ({_WAITING.format(number="number.phone_number_id")}) AS waiting
     WHERE number.deleted_at IS NULL AND {_HAS_NO_AGENT} AND waiting.messages > 0
     ORDER BY waiting.since
     LIMIT %(most)s
"""  # noqa: S608  (our own words)
