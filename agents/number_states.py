"""
The state of phone numbers: whether customers can be answered, what last came in and went out, the last error.

Read from rows that are there anyway. Messages stand in a room above; of them only times and errors are read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

from config.lib import sql

# The newest messages of a number that are looked through for the last one received or sent.
MOST_WALKED = 10_000
_CODE = re.compile(r"[\w.-]{1,50}", re.ASCII)


class Status(StrEnum):
    """Whether customers who write to a number can be answered; the first that applies."""

    NO_AGENT = "no_agent"
    CHANNEL_ERROR = "channel_error"
    NO_CREDITS = "no_credits"
    SILENT = "silent"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class LastError:
    """An error of the channel, or the reason why a message failed."""

    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NumberState:
    """The state of a number; None where there was nothing yet."""

    status: Status
    last_received_at: datetime | None
    last_sent_at: datetime | None
    last_error: LastError | None


def states(phone_number_ids: Sequence[str]) -> dict[str, NumberState]:
    """Return the state of each number."""
    if not phone_number_ids:
        return {}
    parameters = {"numbers": list(phone_number_ids), "price": settings.CREDITS_PER_REPLY, "most": MOST_WALKED}
    return {row["phone_number_id"]: _state(row) for row in sql.rows(_STATES_SQL, parameters)}


def _state(row: dict[str, Any]) -> NumberState:
    return NumberState(
        status=_status(row),
        last_received_at=row["last_received_at"],
        last_sent_at=row["last_sent_at"],
        last_error=_last_error(row),
    )


def _status(row: dict[str, Any]) -> Status:
    if not row["has_agent"]:
        return Status.NO_AGENT
    alarmed_at, sent_at = row["alarmed_at"], row["last_sent_at"]
    if alarmed_at and (sent_at is None or sent_at < alarmed_at):
        return Status.CHANNEL_ERROR
    if row["is_out_of_credits"]:
        return Status.NO_CREDITS
    silent_at, received_at = row["silent_at"], row["last_received_at"]
    is_silent = silent_at and (received_at is None or received_at < silent_at)
    return Status.SILENT if is_silent else Status.ACTIVE


def _last_error(row: dict[str, Any]) -> LastError | None:
    errors = []
    if row["failed_at"]:
        errors.append(LastError(*_split(row["failure_reason"]), row["failed_at"]))
    if row["alarmed_at"]:
        errors.append(LastError(row["alarm_code"], row["alarm_reason"], row["alarmed_at"]))
    return max(errors, key=lambda error: error.at, default=None)


def _split(reason: str) -> tuple[str, str]:
    """Return the code and the words of a reason such as `131056: Too many messages`; one may be empty."""
    code, colon, message = reason.partition(": ")
    if _CODE.fullmatch(code):
        return code, message if colon else ""
    return "", reason


# messages_by_number: from its newest row to the first that fits. messages_failed_by_number,
# inbound_waiting_by_number: one row each.
_NEWEST = """
    SELECT message.sender, message.status, message.timestamp, message.inbound_id, message.message_id
      FROM messages AS message
     WHERE message.phone_number_id = number.phone_number_id
     ORDER BY message.timestamp DESC, message.message_id DESC
     LIMIT %(most)s
"""
_STATES_SQL = f"""
    SELECT number.phone_number_id, number.alarmed_at, number.alarm_code, number.alarm_reason,
           number.silent_at,
           EXISTS (SELECT 1 FROM agents
                    WHERE agents.phone_number_id = number.phone_number_id
                      AND agents.deleted_at IS NULL) AS has_agent,
           COALESCE(credits.remaining_credits, 0) < %(price)s AS is_out_of_credits,
           GREATEST(received.at, waiting.at) AS last_received_at, sent.at AS last_sent_at,
           failed.failure_reason, failed.failed_at
      FROM phone_numbers AS number
      LEFT JOIN credits USING (user_id)
      LEFT JOIN LATERAL (
           SELECT COALESCE(inbound.received_at, newest.timestamp) AS at
             FROM ({_NEWEST}) AS newest
             LEFT JOIN inbound_messages AS inbound ON inbound.id = newest.inbound_id
            WHERE newest.sender = 'user'
            ORDER BY newest.timestamp DESC, newest.message_id DESC
            LIMIT 1) AS received ON true
      LEFT JOIN LATERAL (
           SELECT received_at AS at FROM inbound_messages AS inbound
            -- BETWEEN: see agents.unanswered.
            WHERE inbound.phone_number_id BETWEEN number.phone_number_id AND number.phone_number_id
              AND inbound.status = 'pending'
            ORDER BY inbound.phone_number_id DESC, inbound.id DESC
            LIMIT 1) AS waiting ON true
      LEFT JOIN LATERAL (
           SELECT newest.timestamp AS at FROM ({_NEWEST}) AS newest
            WHERE newest.sender = 'agent' AND newest.status IN ('sent', 'delivered', 'read')
            ORDER BY newest.timestamp DESC, newest.message_id DESC
            LIMIT 1) AS sent ON true
      LEFT JOIN LATERAL (
           SELECT message.failure_reason, message.failed_at FROM messages AS message
            WHERE message.phone_number_id = number.phone_number_id AND message.failed_at IS NOT NULL
            ORDER BY message.timestamp DESC, message.message_id DESC
            LIMIT 1) AS failed ON true
     WHERE number.phone_number_id = ANY(%(numbers)s)
"""  # noqa: S608  (our own words)
