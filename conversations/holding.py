"""A turn that this process holds, and how it ends."""

import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config.lib import sql
from conversations.leases import LeaseLostError

# From the third run on a turn runs apart from the others, and the third holder that vanishes takes the turn
# with it: something in it kills workers.
QUARANTINED_AFTER = 2
MAX_ATTEMPTS = 3
# Why a turn ended although nothing went wrong, or was never begun.
TAKEN_OVER = "a person took over"
NO_CREDITS = "insufficient_credits"


@dataclass(slots=True)
class Turn:
    """A turn this process holds; `deadline` is on the monotonic clock."""

    turn_id: str
    lease_token: str
    state: str
    phone_number_id: str
    customer_id: str
    conversation_id: str
    snapshot: dict[str, Any]
    attempts: int
    drafts: int
    deadline: float
    is_resumed: bool

    @property
    def is_poisonous(self) -> bool:
        """Tell whether so many holders vanished over it that it must not be tried again."""
        return self.attempts >= MAX_ATTEMPTS

    @property
    def ask_until(self) -> float:
        """When the model must have answered, so that there is time left to send."""
        return self.deadline - 1.5 * float(settings.GRAPH_TIMEOUT) / 1000

    @property
    def correlation_id(self) -> str:
        """The id of the webhook that brought the newest of its messages."""
        return str(self.snapshot.get("correlation_id", ""))


def held(row: dict[str, Any], token: str, *, is_resumed: bool = False) -> Turn:
    """Give a turn's row that was just claimed as what its holder works with."""
    return Turn(
        turn_id=row["turn_id"],
        lease_token=token,
        state=row["state"],
        phone_number_id=row["phone_number_id"],
        customer_id=row["customer_id"],
        conversation_id=row["conversation_id"],
        snapshot=row["snapshot"],
        attempts=row["attempts"],
        drafts=row["drafts"],
        deadline=time.monotonic() + settings.TURN_DEADLINE / 1000,
        is_resumed=is_resumed,
    )


def close(*, turn_id: str, error: str = "") -> None:
    """
    End a turn: done, or with an error failed together with its messages. The caller holds its lease.

    One that a person took over is done, though nothing was said.
    """
    is_done = error in {"", TAKEN_OVER}
    inbox = "done" if is_done else "rejected" if error == NO_CREDITS else "failed"
    sql.execute(
        _CLOSE,
        {
            "turn": turn_id,
            "error": error[:255],
            "state": "done" if is_done else "failed",
            "inbox": inbox,
        },
    )


_CLOSE = """
    WITH closed AS (
        UPDATE turns
           SET state = %(state)s, error = %(error)s, closed_at = statement_timestamp()
         WHERE turn_id = %(turn)s),
    inbox AS (
        UPDATE inbound_messages SET status = %(inbox)s, reason = %(error)s WHERE turn_id = %(turn)s)
    UPDATE messages
       SET status = 'failed', failure_reason = %(error)s, failed_at = statement_timestamp()
     WHERE turn_id = %(turn)s AND author = 'customer' AND %(state)s = 'failed'
"""


def held_error(turn: Turn) -> str:
    """
    Lock the turn for the rest of the transaction and give its error.

    :raises LeaseLostError: if it is not ours any more
    """
    row = sql.row(
        "SELECT error FROM turns WHERE turn_id = %s AND lease_token = %s FOR UPDATE",
        [turn.turn_id, turn.lease_token],
    )
    if row is None:
        raise LeaseLostError
    return str(row["error"])
