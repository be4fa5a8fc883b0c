"""
Replay: failed messages and dead letters are processed again. Twice is the same as once.

A message that failed, was rejected, or was ignored for a reason on the allow list (`channels_app.ignored`)
waits in the inbox again; if it is answered, it keeps its place in the conversation. A message that was
answered is never answered again, nor one that its customer took back.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from channels_app import ingest
from channels_app.ignored import REPLAYABLE
from channels_app.models import Customer, DeadLetter, InboundMessage
from config.lib.jobs import Job, ring

log = structlog.get_logger(__name__)

Status = InboundMessage.Status
_REPLAYABLE = (
    Q(status__in=[Status.FAILED, Status.REJECTED]) | Q(status=Status.IGNORED, reason__in=sorted(REPLAYABLE))
) & Q(customer__isnull=False)
_TAKEN_BACK = Q(message__deleted_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many messages wait again, and how many dead letters could be read."""

    messages: int
    dead_letters: int


def inbound(rows: QuerySet[InboundMessage]) -> Replayed:
    """Put those of the rows that were not answered back into the inbox."""
    waiting = 0
    for row in rows.filter(_REPLAYABLE).order_by("phone_number_id", "id"):
        waiting += wait_again(row)
    return Replayed(messages=waiting, dead_letters=0)


def dead_letters(rows: QuerySet[DeadLetter]) -> Replayed:
    """Read dead letters again that could not be read so far."""
    readable = sum(
        ingest.replay_dead_letter(letter) for letter in rows.filter(replayed_at=None).order_by("id")
    )
    return Replayed(messages=0, dead_letters=readable)


def between(since: datetime, until: datetime, *, phone_number_id: str = "") -> Replayed:
    """Replay what came in a span of time, on one number or on all."""
    messages = InboundMessage.objects.filter(received_at__gte=since, received_at__lt=until)
    letters = DeadLetter.objects.filter(received_at__gte=since, received_at__lt=until)
    if phone_number_id:
        messages = messages.filter(phone_number_id=phone_number_id)
        letters = letters.filter(phone_number_id__in=["", phone_number_id])
    return Replayed(inbound(messages).messages, dead_letters(letters).dead_letters)


def is_replayable(row: InboundMessage) -> bool:
    """Check whether a message may wait again: the channel's customer is known and nothing forbids it."""
    return InboundMessage.objects.filter(_REPLAYABLE, pk=row.pk).exclude(_TAKEN_BACK).exists()


@transaction.atomic
def wait_again(row: InboundMessage) -> bool:
    """Put a message back into the inbox; return whether it was, and not before or for good reason never."""
    # In the order of all locks: the customer, then the inbox.
    customer = Customer.objects.select_for_update(no_key=True).filter(pk=row.customer_id).first()
    if customer is None or not is_replayable(row):
        return False
    fresh = ingest.read_again(row) if row.status == Status.IGNORED else None
    if row.status == Status.IGNORED and fresh is None:
        return False
    changes = {"kind": fresh.kind, "text": fresh.text, "context": fresh.context} if fresh else {}
    changed = InboundMessage.objects.filter(pk=row.pk, status=row.status).update(
        status=Status.PENDING, turn_id=None, reason="", **changes
    )
    if not changed:
        return False
    customer.due_at = timezone.now()
    customer.save(update_fields=["due_at"])
    ring(Job.DRAIN, phone_number_id=row.phone_number_id)
    return True
