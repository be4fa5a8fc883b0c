"""Takes the secrets of deleted numbers away, the access token as soon as nothing needs it to be sent."""

import structlog

from config.lib import sql

log = structlog.get_logger(__name__)


def wipe(*, phone_number_id: str | None = None) -> int:
    """
    Wipe the tokens of deleted numbers, or of one, and say of how many.

    A number with a turn in flight, or with a reply that is still to be sent, keeps its token until later.
    """
    sql.execute(_WIPE_WEB_CHATS, {"number": phone_number_id})
    wiped = sql.rows(_WIPE, {"number": phone_number_id})
    for row in wiped:
        log.info("number.token_wiped", phone_number_id=row["phone_number_id"])
    return len(wiped)


# Nothing that is under way needs it.
_WIPE_WEB_CHATS = """
    UPDATE web_chats SET secret = ''
      FROM phone_numbers AS number
     WHERE number.phone_number_id = web_chats.phone_number_id AND number.deleted_at IS NOT NULL
       AND web_chats.secret <> '' AND (%(number)s::text IS NULL OR number.phone_number_id = %(number)s)
"""

# Turns and deliveries stand in a room above; of them it is only asked whether there are any.
_WIPE = """
    UPDATE phone_numbers AS number
       SET access_token = ''
     WHERE number.deleted_at IS NOT NULL AND number.access_token <> ''
       AND (%(number)s::text IS NULL OR number.phone_number_id = %(number)s)
       AND NOT EXISTS (SELECT 1 FROM turns
                        WHERE turns.phone_number_id = number.phone_number_id
                          AND turns.closed_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM deliveries
                        WHERE deliveries.phone_number_id = number.phone_number_id
                          AND deliveries.is_open)
    RETURNING number.phone_number_id
"""
