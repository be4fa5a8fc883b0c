"""
A reading of a conversation as a row: opened once, claimed with a lease, ended by whoever holds it.

A dead holder's lease runs out and the reading is claimed again; after MAX_ATTEMPTS it is failed. Every write
says `lease_token = mine`, so a holder that lost its lease changes nothing.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import ledger
from billing.ledger import InsufficientCreditsError
from config.lib import sql
from config.lib.jobs import Job, ring
from conversations.models import Conversation, Message
from extraction.models import Extraction

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
# How old a reading may get while OpenAI makes it wait.
PATIENCE = 3600.0
NO_CREDITS = "insufficient_credits"


class LeaseLostError(Exception):
    """Somebody else holds the reading now, or it has ended."""


class NothingWrittenError(Exception):
    """The customer has written nothing in this conversation."""


@dataclass(frozen=True, slots=True)
class Run:
    """A reading this process holds; `deadline` is on the monotonic clock."""

    extraction_id: str
    conversation_id: str
    user_id: str
    upto: int
    lease_token: str
    deadline: float
    created_at: datetime


@transaction.atomic
def want(*, conversation_id: str) -> Extraction:
    """
    Request an extraction of a conversation up to its newest message; an open one is returned as it is.

    :raises Conversation.DoesNotExist: if there is no such conversation
    :raises NothingWrittenError: if there is nothing of the customer in it
    """
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    opened = Extraction.objects.filter(conversation=conversation, status__in=Extraction.OPEN).first()
    if opened is None:
        if not conversation.messages.filter(author=Message.Author.CUSTOMER).exists():
            raise NothingWrittenError
        opened = Extraction.objects.create(
            user_id=conversation.user_id,
            conversation=conversation,
            trigger=Extraction.Trigger.MANUAL,
            upto_sequence_no=conversation.last_sequence_no,
        )
    ring(Job.EXTRACT, conversation_id=conversation_id)
    return opened


def unheld(*, most: int) -> list[str]:
    """Return the conversations with a reading that nobody holds, those that wait longest first."""
    return [row["conversation_id"] for row in sql.rows(_UNHELD, [most])]


_UNHELD = """
    SELECT conversation_id FROM extractions
     WHERE status IN ('waiting', 'running') AND lease_expires_at <= statement_timestamp()
     ORDER BY lease_expires_at
     LIMIT %s
"""


def claim(*, conversation_id: str) -> Run | None:
    """Take up a conversation's open reading, and its price; None if there is none, or somebody holds it."""
    token = str(uuid.uuid4())
    with transaction.atomic():
        lease = settings.TURN_DEADLINE / 1000
        row = sql.row(_CLAIM, {"conversation": conversation_id, "token": token, "lease": lease})
        if row is None:
            return None
        run = Run(
            extraction_id=row["extraction_id"],
            conversation_id=conversation_id,
            user_id=row["user_id"],
            upto=row["upto_sequence_no"],
            lease_token=token,
            # What is found must be written before the lease runs out.
            deadline=time.monotonic() + 0.8 * lease,
            created_at=row["created_at"],
        )
        if row["attempts"] >= MAX_ATTEMPTS:
            log.error("extraction.given_up", extraction_id=run.extraction_id, attempts=row["attempts"])
            fail(run, reason="its worker died each time")
            return None
        return run if _pay(run) else None


# A holder that handed it back left no token, and does not count. The conversation is locked before the
# reading, as by whoever ends one.
_CLAIM = """
    WITH talk AS (
        SELECT conversation_id FROM conversations WHERE conversation_id = %(conversation)s
           FOR NO KEY UPDATE)
    UPDATE extractions
       SET status = 'running', attempts = attempts + (lease_token IS NOT NULL)::int, lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
     WHERE conversation_id = (SELECT conversation_id FROM talk) AND status IN ('waiting', 'running')
       AND lease_expires_at <= statement_timestamp()
    RETURNING extraction_id, user_id, upto_sequence_no, attempts, created_at
"""


def _pay(run: Run) -> bool:
    try:
        ledger.charge(
            user_id=run.user_id, amount=settings.CREDITS_PER_EXTRACTION, reference=run.extraction_id
        )
    except InsufficientCreditsError:
        fail(run, reason=NO_CREDITS)
        return False
    return True


def held(run: Run) -> Extraction:
    """
    Lock a reading, and before it its conversation, for the rest of the transaction.

    :raises LeaseLostError: if it is not ours any more
    """
    Conversation.objects.select_for_update(no_key=True).get(pk=run.conversation_id)
    row = (
        Extraction.objects.select_for_update(no_key=True)
        .filter(pk=run.extraction_id, lease_token=run.lease_token, status=Extraction.Status.RUNNING)
        .first()
    )
    if row is None:
        raise LeaseLostError
    return row


def end(row: Extraction, *, status: str, reason: str = "", **changes: Any) -> None:
    """End a reading that the caller holds, with what it found."""
    for name, value in changes.items():
        setattr(row, name, value)
    row.status, row.reason, row.extracted_at = status, reason[:255], timezone.now()
    row.lease_token = None
    row.save()


@transaction.atomic
def fail(run: Run, *, reason: str) -> None:
    """
    End a reading as failed, and give back what it cost; it can be wanted again.

    :raises LeaseLostError: if it is not ours any more
    """
    end(held(run), status=Extraction.Status.FAILED, reason=reason)
    ledger.refund(reference=run.extraction_id, reason=reason[:255])


def defer(run: Run, *, seconds: float) -> bool:
    """Hand a reading back until `seconds` from now; False if it is too old for that: nothing is changed."""
    if (timezone.now() - run.created_at).total_seconds() + seconds > PATIENCE:
        return False
    return hand_back([run.lease_token], seconds=seconds) == 1


def hand_back(tokens: list[str], *, seconds: float = 0) -> int:
    """Release extractions, uncounted; others may take them over `seconds` from now at the earliest."""
    return sql.execute(
        """
        UPDATE extractions
           SET lease_token = NULL,
               lease_expires_at = statement_timestamp() + make_interval(secs => %s)
         WHERE lease_token = ANY(%s::uuid[]) AND status = 'running'
        """,
        [seconds, tokens],
    )
