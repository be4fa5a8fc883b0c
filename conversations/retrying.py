"""
Retry by hand: a message that could not be answered is answered, a reply that did not arrive is sent again.

Both do nothing the second time, and both need the channel's window to be open: on WhatsApp and Instagram a
business may write within 24 hours of the customer's last message.
"""

import time
import uuid
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from billing import ledger
from billing.models import CreditEntry
from channels_app.models import InboundMessage, PhoneNumber
from channels_app.webchat import bell
from config.lib import failpoints, sql, stopping
from config.lib.jobs import Job, ring
from conversations import leases, outbox, posting, replay, statuses, windows
from conversations.leases import LeaseLostError
from conversations.models import Message

log = structlog.get_logger(__name__)


class NotFailedError(Exception):
    """It has not failed, so there is nothing to try again."""


def retry(*, message_id: str, actor: str = "") -> bool:
    """
    Try a failed message again, whoever said it; tell whether that was begun now, and not before.

    The `actor` who wants it so goes into the log.

    :raises Message.DoesNotExist: if there is none
    :raises NotFailedError: if it has not failed
    :raises WindowClosedError: if the channel would not take an answer
    :raises InsufficientCreditsError: if a reply was refunded and there are no credits to send it again
    """
    message = Message.objects.select_related("inbound", "conversation__customer__phone_number").get(
        pk=message_id
    )
    is_question = message.sender == Message.Sender.USER
    is_begun = _answer_again(message) if is_question else _send_again(message)
    log.info("message.retried", message_id=message_id, actor=actor, is_begun=is_begun)
    return is_begun


def _answer_again(message: Message) -> bool:
    """Let a message wait in the inbox again: the next turn takes it along, in its old place."""
    row = message.inbound
    if row is not None and row.status == InboundMessage.Status.PENDING and message.status == "failed":
        return False
    if row is None or row.status not in {InboundMessage.Status.FAILED, InboundMessage.Status.REJECTED}:
        raise NotFailedError("the message did not fail")
    windows.check(message.conversation.customer)
    return replay.wait_again(row)


# --- A reply -----------------------------------------------------------------------------------------


@transaction.atomic
def _send_again(message: Message) -> bool:
    """Make a new attempt of those parts that did not arrive; it is charged if the last one was refunded."""
    status = sql.row("SELECT status FROM messages WHERE message_id = %s FOR UPDATE", [message.pk])
    assert status is not None
    newest = sql.row(_NEWEST_ATTEMPT, [message.pk])
    if status["status"] != "failed":
        if newest and newest["attempt"] > 1 and newest["is_pending"]:
            return False
        raise NotFailedError("the reply did not fail")
    windows.check(message.conversation.customer)
    attempt = newest["attempt"] if newest else 1
    sql.execute(_NEW_ATTEMPT, {"message": message.pk, "attempt": attempt})
    statuses.refresh([message.pk])
    if message.turn_id and _was_refunded(outbox.charge_reference(message.turn_id, attempt)):
        ledger.charge(
            user_id=message.conversation.agent.user_id,
            amount=settings.CREDITS_PER_REPLY,
            reference=outbox.charge_reference(message.turn_id, attempt + 1),
        )
    ring(Job.SEND, message_id=message.pk)
    return True


def _was_refunded(reference: str) -> bool:
    return CreditEntry.objects.filter(kind=CreditEntry.Kind.REFUND, reference=reference).exists()


_NEWEST_ATTEMPT = """
    SELECT attempt, bool_or(state IN ('pending', 'sending')) AS is_pending
      FROM deliveries WHERE message_id = %s GROUP BY attempt ORDER BY attempt DESC LIMIT 1
"""
_NEW_ATTEMPT = """
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                            created_at, updated_at)
    SELECT 'dlv_' || replace(gen_random_uuid()::text, '-', ''), message_id, phone_number_id, attempt + 1,
           part, text, 'pending', '', statement_timestamp(), statement_timestamp()
      FROM deliveries
     WHERE message_id = %(message)s AND attempt = %(attempt)s AND state IN ('failed', 'cancelled')
"""


def send(*, message_id: str) -> None:
    """Send what waits of a message that belongs to no open turn; several at once send each part once."""
    token = str(uuid.uuid4())
    with leases.working():
        while not stopping.is_stopping.is_set() and (delivery := _begin(message_id, token)) is not None:
            failpoints.reach("P10", about=delivery["phone_number_id"])
            deadline = time.monotonic() + 1.5 * settings.GRAPH_TIMEOUT / 1000
            try:
                outcome = posting.post(delivery, may_go=lambda: time.monotonic() < deadline)  # noqa: B023
            except LeaseLostError:
                return
            outbox.finish_sending(delivery, outcome, token=token, turn_id=delivery["turn_id"])
            if delivery["type"] == PhoneNumber.Type.WEBCHAT:
                bell.ring(delivery["customer_id"])


def _begin(message_id: str, token: str) -> dict[str, Any] | None:
    lease = settings.GRAPH_TIMEOUT / 1000 + 5
    return sql.row(_BEGIN, {"message": message_id, "token": token, "lease": lease})


# A person wants it sent, so a pause does not matter. Parts go one after the other.
_BEGIN = f"""
    UPDATE deliveries
       SET state = 'sending', sending_at = statement_timestamp(), updated_at = statement_timestamp(),
           lease_token = %(token)s,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
      FROM messages AS message, conversations AS conversation, phone_numbers AS number, customers AS customer
     WHERE deliveries.delivery_id = (SELECT delivery_id FROM deliveries
                                      WHERE message_id = %(message)s AND state = 'pending'
                                      ORDER BY attempt, part
                                      LIMIT 1)
       AND deliveries.state = 'pending'
       AND NOT EXISTS (SELECT 1 FROM deliveries AS other
                        WHERE other.message_id = %(message)s AND other.state = 'sending')
       AND message.message_id = deliveries.message_id
       AND conversation.conversation_id = message.conversation_id
       AND number.phone_number_id = deliveries.phone_number_id
       AND customer.customer_id = conversation.customer_id
       AND NOT EXISTS (SELECT 1 FROM turns
                        WHERE turns.turn_id = message.turn_id AND turns.state IN ('claimed', 'answered'))
    RETURNING {outbox.WHAT_TO_POST}, NULL AS reply_to, message.turn_id
"""  # noqa: S608  (columns, all our own words)
