"""A turn that this process holds, and how it ends."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.conf import settings

from config.lib import sql
from conversations.leases import LeaseLostError
from conversations.reasons import NO_CREDITS, TAKEN_OVER

# From the third run on a turn runs apart from the others, and the third holder that vanishes takes the turn
# with it: something in it kills workers.
QUARANTINED_AFTER = 2
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """
    What a turn is answered under, stored with it: a change of agent, prompt or price does not touch it.

    `correlation_id` is that of the webhook which brought the newest of its messages. Without a
    `prompt_version` the prompt is one of OpenAI's dashboard.
    """

    user_id: str
    agent_id: str
    prompt_id: str
    prompt_version: int | None
    channel: str
    fallback_message: str = ""
    handover_enabled: bool = False
    handover_message: str = ""
    disclosure: str = ""
    customer_name: str = ""
    business_name: str = ""
    timezone: str = "UTC"
    price: int = 0
    correlation_id: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AnswerSettings":
        """Read what `as_json` returned, or an earlier release stored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        """Return what is stored with the turn."""
        return asdict(self)


@dataclass(slots=True)
class OpenTurn:
    """A turn this process holds; `deadline` is on the monotonic clock."""

    turn_id: str
    lease_token: str
    state: str
    phone_number_id: str
    customer_id: str
    conversation_id: str
    settings: AnswerSettings
    attempts: int
    drafts: int
    deadline: float
    is_resumed: bool
    # Whether, as far as is known, something waits on the number now that the turn has ended.
    anything_waits: bool = True

    @property
    def is_poisonous(self) -> bool:
        """Whether so many holders vanished over it that it must not be tried again."""
        return self.attempts >= MAX_ATTEMPTS

    @property
    def claimed_at(self) -> float:
        """When the claim began that gave this process the lease, on the monotonic clock."""
        return self.deadline - float(settings.TURN_DEADLINE) / 1000

    @property
    def ask_until(self) -> float:
        """When the model must have answered, so that there is time left to send."""
        return self.deadline - 1.5 * float(settings.GRAPH_TIMEOUT) / 1000

    @property
    def age_ms(self) -> int:
        """How long this process has held it."""
        return round(1000 * (time.monotonic() - self.deadline)) + int(settings.TURN_DEADLINE)

    @property
    def correlation_id(self) -> str:
        """The id of the webhook that brought the newest of its messages."""
        return self.settings.correlation_id


def resumed(row: dict[str, Any], token: str, *, until: float) -> OpenTurn:
    """Return a turn whose row was just taken over from a holder that is gone; `until` is its deadline."""
    return OpenTurn(
        turn_id=row["turn_id"],
        lease_token=token,
        state=row["state"],
        phone_number_id=row["phone_number_id"],
        customer_id=row["customer_id"],
        conversation_id=row["conversation_id"],
        settings=AnswerSettings.from_json(sql.from_jsonb(row["snapshot"])),
        attempts=row["attempts"],
        drafts=row["drafts"],
        deadline=until,
        is_resumed=True,
    )


def deadline() -> float:
    """Return until when a turn that is claimed now may be held, on the monotonic clock."""
    return time.monotonic() + float(settings.TURN_DEADLINE) / 1000


def close(turn_ids: Sequence[str], *, error: str = "") -> None:
    """
    End turns: done, or with an error failed together with their messages. The caller holds their leases.

    One that a person took over is done, though nothing was said.
    """
    is_done = error in {"", TAKEN_OVER}
    inbox = "done" if is_done else "rejected" if error == NO_CREDITS else "failed"
    sql.execute(
        _CLOSE_SQL,
        {
            "turns": list(turn_ids),
            "error": error[:255],
            "state": "done" if is_done else "failed",
            "inbox": inbox,
        },
    )


def mark_failed(*, turn_id: str, error: str) -> None:
    """Mark the messages of a turn as failed before it ends: a fallback is sent in place of a reply."""
    sql.execute(_MARK_FAILED_SQL, {"turn": turn_id, "error": error[:255]})


_MARK_FAILED_SQL = """
    UPDATE messages
       SET status = 'failed', failure_reason = %(error)s, failed_at = statement_timestamp()
     WHERE turn_id = %(turn)s AND author = 'customer'
"""

# The caller has locked the inbox rows and the turns.
_CLOSE_SQL = """
    WITH closed AS (
        UPDATE turns
           SET state = %(state)s, error = %(error)s, closed_at = statement_timestamp()
         WHERE turn_id = ANY(%(turns)s)),
    inbox AS (
        UPDATE inbound_messages SET status = %(inbox)s, reason = %(error)s WHERE turn_id = ANY(%(turns)s))
    UPDATE messages
       SET status = 'failed', failure_reason = %(error)s,
           -- Those of a turn with a fallback are marked already.
           failed_at = COALESCE(failed_at, statement_timestamp())
     WHERE turn_id = ANY(%(turns)s) AND author = 'customer' AND %(state)s = 'failed'
"""


def held_error(turn: OpenTurn) -> str:
    """
    Lock the turn, and before it its messages in the inbox, and return its error.

    :raises LeaseLostError: if it is not ours any more
    """
    row = sql.row(_LOCK_HELD_SQL, {"turn": turn.turn_id, "token": turn.lease_token})
    if row is None:
        raise LeaseLostError
    return str(row["error"])


_LOCK_HELD_SQL = """
    WITH inbox AS (
        SELECT id FROM inbound_messages WHERE turn_id = %(turn)s ORDER BY id FOR NO KEY UPDATE)
    SELECT error FROM turns
     WHERE (SELECT count(*) FROM inbox) >= 0
       AND turn_id = %(turn)s AND lease_token = %(token)s
       FOR UPDATE
"""
