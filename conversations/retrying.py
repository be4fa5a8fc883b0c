"""
Retry by hand: a message that could not be answered is answered, a reply that did not arrive is sent again.

Both do nothing the second time, and both need the channel's window to be open: on WhatsApp and Instagram a
business may write within 24 hours of the customer's last message. A reply whose outcome is unknown may have
arrived, so it is sent again only for a person who says that it may.
"""

import time
import uuid
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from billing import ledger
from channels_app.models import InboundMessage, PhoneNumber
from channels_app.webchat import pubsub
from config.lib import event_loop, failpoints, shutdown, sql
from config.lib.jobs import Job, ring
from conversations import leases, posting, refunds, replay, service_window, statuses
from conversations.answering import send as sending
from conversations.leases import LeaseLostError
from conversations.models import Message

log = structlog.get_logger(__name__)


class NotFailedError(Exception):
    """The message has not failed, so there is nothing to retry."""


class MayHaveArrivedError(Exception):
    """Nobody knows whether the customer has the message already, and the caller did not allow a repeat."""


class TakenBackError(Exception):
    """The customer took the message back, so it must not be answered."""


def retry(*, message_id: str, actor: str = "", may_repeat: bool = False) -> bool:
    """
    Retry a message that failed; return whether the retry began now, and not before.

    With `may_repeat` also one whose outcome is unknown, which the customer may then get twice. The `actor`
    goes into the log.

    :raises Message.DoesNotExist: if there is none
    :raises NotFailedError: if it has not failed
    :raises MayHaveArrivedError: if its outcome is unknown, without `may_repeat`
    :raises TakenBackError: if the customer took it back
    :raises WindowClosedError: if the channel would not take an answer
    :raises InsufficientCreditsError: if a reply was refunded and there are no credits to send it again
    """
    message = Message.objects.select_related("inbound", "conversation__customer__phone_number").get(
        pk=message_id
    )
    is_question = message.sender == Message.Sender.USER
    is_begun = _answer_again(message) if is_question else _send_again(message, may_repeat=may_repeat)
    log.info("message.retried", message_id=message_id, actor=actor, is_begun=is_begun, may_repeat=may_repeat)
    return is_begun


def _answer_again(message: Message) -> bool:
    """Return a message to the inbox: the next turn takes it along, in its old place."""
    row = message.inbound
    if message.deleted_at is not None:
        raise TakenBackError
    if row is not None and row.status == InboundMessage.Status.PENDING and message.status == "failed":
        return False
    if row is None or row.status not in {InboundMessage.Status.FAILED, InboundMessage.Status.REJECTED}:
        raise NotFailedError("the message did not fail")
    service_window.check(message.conversation.customer)
    return replay.wait_again(row)


# --- A reply -----------------------------------------------------------------------------------------


@transaction.atomic
def _send_again(message: Message, *, may_repeat: bool) -> bool:
    """Make a new attempt of the parts that did not arrive; it is charged if the reply was refunded."""
    statuses.lock([message.pk])
    message.refresh_from_db(fields=["status"])
    newest = sql.row(_NEWEST_ATTEMPT, [message.pk])
    attempt = newest["attempt"] if newest else 1
    is_unknown = message.status == Message.Status.UNKNOWN
    if message.status != Message.Status.FAILED and not is_unknown:
        if newest and attempt > 1 and newest["is_pending"]:
            return False
        raise NotFailedError("the reply did not fail")
    if is_unknown and not may_repeat:
        raise MayHaveArrivedError
    service_window.check(message.conversation.customer)
    sql.execute(_NEW_ATTEMPT, {"messages": [message.pk], "attempt": attempt + 1, "may_repeat": may_repeat})
    statuses.refresh([message.pk])
    _charge_again(message, attempt + 1)
    ring(Job.SEND, message_id=message.pk)
    return True


def _charge_again(message: Message, attempt: int) -> None:
    """Charge a retry of a reply that was refunded; the agent's fixed messages are free."""
    if not message.turn_id or message.kind in Message.FREE_KINDS:
        return
    if refunds.is_refunded(turn_id=message.turn_id, attempts=attempt - 1):
        ledger.charge(
            user_id=message.conversation.agent.user_id,
            amount=settings.CREDITS_PER_REPLY,
            reference=refunds.charge_reference(message.turn_id, attempt),
        )


_NEWEST_ATTEMPT = """
    SELECT max(attempt) AS attempt, bool_or(state IN ('pending', 'sending')) AS is_pending
      FROM deliveries WHERE message_id = %s
    HAVING count(*) > 0
"""
_NEW_ATTEMPT = f"""
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                            created_at, updated_at)
    SELECT 'dlv_' || replace(gen_random_uuid()::text, '-', ''), message_id, phone_number_id, %(attempt)s,
           part, text, 'pending', '', statement_timestamp(), statement_timestamp()
      FROM ({statuses.PARTS_SQL}) AS parts
     WHERE state IN ('failed', 'cancelled') OR (%(may_repeat)s AND state = 'unknown')
"""  # noqa: S608  (columns, all our own words)


def send(*, message_id: str) -> None:
    """Send what waits of a message that belongs to no open turn; several at once send each part once."""
    token = str(uuid.uuid4())
    with leases.working():
        while not shutdown.is_stopping.is_set() and (row := _begin(message_id, token)) is not None:
            part = posting.Posting.from_row(row)
            failpoints.reach("P10", about=part.phone_number_id)
            deadline = time.monotonic() + 1.5 * settings.GRAPH_TIMEOUT / 1000
            # No connection is held while a foreign API is called.
            connection.close()
            try:
                outcome = event_loop.run(
                    posting.post(part, may_go=lambda: time.monotonic() < deadline)  # noqa: B023
                )
            except LeaseLostError:
                return
            sending.finish_sending(part, outcome, token, row["turn_id"])
            if part.type == PhoneNumber.Type.WEBCHAT:
                pubsub.publish(part.customer_id)


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
                        WHERE turns.turn_id = message.turn_id AND turns.closed_at IS NULL)
    RETURNING {posting.POSTING_COLUMNS}, NULL AS reply_to, message.turn_id
"""  # noqa: S608  (columns, all our own words)
