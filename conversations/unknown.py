"""
Deliveries of unknown outcome: the sender died, or the channel's answer does not say whether it took them.

No machine repeats them. A status or an echo may still prove that one arrived; for a message that stays
unknown the business gets `message.unknown`, and a person decides to retry it (`retrying`) or to refund it
(`refunds`).
"""

from django.conf import settings
from django.db import transaction

from billing.events import EventType
from config.lib import sql
from conversations import message_events, statuses
from conversations.reasons import SENDER_DIED

# How many messages one look of the sweeper takes; the next one takes the rest.
BATCH = 500


def give_up(message_id: str, *, expired_only: bool = False) -> int:
    """
    Mark deliveries of a message that a dead holder left in `sending` as unknown; needs a transaction.

    In a web chat nothing is posted, so nothing is unknown: they are sent again.
    """
    statuses.lock([message_id])
    parameters = {"message": message_id, "expired_only": expired_only, "error": SENDER_DIED}
    sql.execute(_SEND_AGAIN_IN_WEB_CHAT, parameters)
    given_up = sql.execute(_GIVE_UP, parameters)
    if given_up:
        statuses.refresh([message_id])
    return given_up


def give_up_stuck() -> int:
    """Mark deliveries whose holder died as unknown, also where no claim will look at their turn again."""
    stuck = sql.rows(_STUCK, [BATCH])
    given_up = 0
    for row in stuck:
        with transaction.atomic():
            given_up += give_up(row["message_id"], expired_only=True)
    return given_up


_STUCK = """
    SELECT DISTINCT message_id FROM deliveries
     WHERE is_open AND state = 'sending' AND lease_expires_at < statement_timestamp() - interval '1 minute'
     LIMIT %s
"""
_SEND_AGAIN_IN_WEB_CHAT = """
    UPDATE deliveries
       SET state = 'pending', lease_token = NULL, updated_at = statement_timestamp()
      FROM phone_numbers AS number
     WHERE number.phone_number_id = deliveries.phone_number_id AND number.type = 'webchat'
       AND message_id = %(message)s AND state = 'sending'
       AND (NOT %(expired_only)s OR lease_expires_at < statement_timestamp() - interval '1 minute')
"""
_GIVE_UP = """
    UPDATE deliveries
       SET state = 'unknown', error = %(error)s, updated_at = statement_timestamp()
     WHERE message_id = %(message)s AND state = 'sending'
       AND (NOT %(expired_only)s OR lease_expires_at < statement_timestamp() - interval '1 minute')
"""


def report_overdue() -> int:
    """
    Raise `message.unknown` once for each message that has been unknown for UNKNOWN_AFTER_SECONDS.

    Once until its status changes: a retry that ends unknown as well is reported again.
    """
    reported = 0
    while True:
        with transaction.atomic():
            overdue = sql.rows(_OVERDUE, {"after": settings.UNKNOWN_AFTER_SECONDS, "most": BATCH})
            if overdue:
                _report([row["message_id"] for row in overdue])
        reported += len(overdue)
        if len(overdue) < BATCH:
            return reported


def _report(message_ids: list[str]) -> None:
    sql.execute(_MARK_REPORTED, [message_ids])
    message_events.record(*((message_id, EventType.MESSAGE_UNKNOWN) for message_id in message_ids))


# A message that a status is moving right now is looked at again by the next look.
_OVERDUE = """
    SELECT message_id FROM messages
     WHERE unknown_at < statement_timestamp() - make_interval(secs => %(after)s)
       AND unknown_at IS NOT NULL AND unknown_reported_at IS NULL
     ORDER BY unknown_at
     LIMIT %(most)s
       FOR UPDATE SKIP LOCKED
"""
_MARK_REPORTED = """
    UPDATE messages SET unknown_reported_at = statement_timestamp() WHERE message_id = ANY(%s)
"""
