"""
Refunds of replies.

A reply has at most one open charge: the first attempt's, under the turn's id, or that of a retry after a
refund, under `<turn>/<attempt>`. Each charge is refunded at most once, by the ledger's unique reference. The
caller has locked the message, so that a retry and a refund cannot pass each other.
"""

from typing import Any

import structlog
from django.db import transaction

from billing import ledger
from billing.models import CreditEntry
from config.lib import sql
from conversations import statuses
from conversations.models import Message

log = structlog.get_logger(__name__)


class NotRefundableError(Exception):
    """The message is no reply whose outcome is unknown or that failed, or its charge is not open."""


def charge_reference(turn_id: str, attempt: int) -> str:
    """Return the ledger's reference of an attempt to send a turn's reply: the first one's is its turn."""
    return turn_id if attempt == 1 else f"{turn_id}/{attempt}"


def refund_failed(message_ids: list[str]) -> None:
    """
    Refund those of the replies that have failed.

    A reply fails with its first part that definitely did not arrive in any attempt. One with a part whose
    outcome is unknown, and none that failed, keeps its charge.
    """
    for row in sql.rows(_FAILED, [message_ids]):
        _refund_open(row, reason="reply not delivered")


def refund_unsent(message_id: str, *, reason: str) -> None:
    """Refund a reply of which no part was sent, and none may have been."""
    if not sql.row(_MAY_HAVE_ARRIVED, [message_id]):
        for row in sql.rows(_REPLY, [message_id]):
            _refund_open(row, reason=reason)


@transaction.atomic
def refund_by_hand(*, message_id: str, reason: str, actor: str) -> int:
    """
    Refund a reply whose outcome is unknown, or that failed after a part was sent; return the credits.

    A later status changes nothing: the refund stays, and is not repeated.

    :raises NotRefundableError: if nothing was charged for it, or that was refunded before
    """
    statuses.lock([message_id])
    refundable = Message.objects.filter(
        pk=message_id, status__in=[Message.Status.UNKNOWN, Message.Status.FAILED]
    )
    refunded = 0
    if refundable.exists():
        for row in sql.rows(_REPLY, [message_id]):
            refunded += _refund_open(row, reason=reason, actor=actor)
    if not refunded:
        raise NotRefundableError
    log.info("reply.refunded_by_hand", message_id=message_id, actor=actor, credits=refunded)
    return refunded


def is_refunded(*, turn_id: str, attempts: int) -> bool:
    """Check whether a turn's reply, sent in so many attempts, was charged and every charge refunded."""
    references = _references(turn_id, attempts)
    refunded = CreditEntry.objects.filter(kind=CreditEntry.Kind.REFUND, reference__in=references)
    return refunded.exists() and not _open_charges(turn_id, attempts)


def _refund_open(reply: dict[str, Any], *, reason: str, actor: str = "") -> int:
    refunded = 0
    for charge in _open_charges(reply["turn_id"], reply["attempts"]):
        reference = charge["reference"]
        log.warning("reply.refunded", reference=reference, reason=reason)
        if ledger.refund(reference=reference, reason=reason[:255], actor=actor):
            refunded -= int(charge["amount"])
    return refunded


def _open_charges(turn_id: str, attempts: int) -> list[dict[str, Any]]:
    return sql.rows(_OPEN_CHARGES, [_references(turn_id, attempts)])


def _references(turn_id: str, attempts: int) -> list[str]:
    return [charge_reference(turn_id, attempt) for attempt in range(1, attempts + 1)]


_OPEN_CHARGES = """
    SELECT reference, amount FROM credit_entries AS charge
     WHERE kind = 'charge' AND reference = ANY(%s)
       AND NOT EXISTS (SELECT 1 FROM credit_entries AS refund
                        WHERE refund.kind = 'refund' AND refund.reference = charge.reference)
     ORDER BY reference
"""
_REPLY = """
    SELECT turn_id, (SELECT COALESCE(max(attempt), 1) FROM deliveries
                      WHERE deliveries.message_id = messages.message_id) AS attempts
      FROM messages
     WHERE message_id = %s AND author = 'ai' AND turn_id IS NOT NULL
"""
_FAILED = """
    SELECT turn_id, (SELECT COALESCE(max(attempt), 1) FROM deliveries
                      WHERE deliveries.message_id = messages.message_id) AS attempts
      FROM messages
     WHERE message_id = ANY(%s) AND author = 'ai' AND turn_id IS NOT NULL AND status = 'failed'
     ORDER BY turn_id
"""
_MAY_HAVE_ARRIVED = """
    SELECT 1 FROM deliveries
     WHERE message_id = %s AND state NOT IN ('pending', 'failed', 'cancelled') LIMIT 1
"""
