"""A member of staff answers a customer from here; the AI steps back."""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from channels_app import senders
from channels_app.models import Customer
from channels_app.senders.contract import NotDeliveredError
from config.lib import ids, sql
from config.lib.jobs import Job, ring
from conversations import service_window, takeover
from conversations.answering import store
from conversations.models import Conversation, Delivery, Message

log = structlog.get_logger(__name__)


class ConversationClosedError(Exception):
    """The conversation has ended; the customer's messages go to `active_id` now, if they wrote again."""

    def __init__(self, active_id: str | None) -> None:
        super().__init__(f"the conversation has ended; active is {active_id or 'none'}")
        self.active_id = active_id


class ChannelGoneError(Exception):
    """The number was deleted, or nothing can be sent on its channel."""


class EmptyTextError(ValueError):
    """The text is empty."""


@transaction.atomic
def send(
    *,
    conversation_id: str,
    text: str,
    actor: str,
    pause_until: datetime | None = None,
    message_id: str = "",
) -> Message:
    """
    Answer a customer for the business, and pause the AI: until then, or for TAKEOVER_PAUSE at least.

    What the AI is about to say is not sent any more. It costs nothing. The message is stored `pending` and
    sent right after the commit of the outermost transaction. With a `message_id` of the caller's making (as
    `ids.new("msg")` does) it is said once, however often this is called.

    :raises Conversation.DoesNotExist: if there is no such conversation
    :raises ConversationClosedError: if it has ended
    :raises ChannelGoneError: if the number is deleted, or its channel cannot send
    :raises WindowClosedError: (conversations.service_window) if the customer must write first
    :raises NothingSaidError: if the text is empty
    """
    if not text.strip():
        raise EmptyTextError("the text is empty")
    known = Conversation.objects.select_related("customer__phone_number").get(pk=conversation_id)
    parts = _parts(text, known.customer)
    service_window.check(known.customer)
    takeover.pause_conversation(
        conversation_id=conversation_id, reason="a member of staff answered", until=pause_until
    )
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if not conversation.is_active:
        raise ConversationClosedError(_active_id(conversation))
    message_id = message_id or ids.new("msg")
    if existing := Message.objects.filter(pk=message_id, conversation=conversation).first():
        return existing
    message = _store(conversation, message_id, number=known.customer.phone_number_id, text=text, actor=actor)
    Delivery.objects.bulk_create(
        Delivery(message=message, phone_number_id=known.customer.phone_number_id, part=number, text=part)
        for number, part in enumerate(parts, start=1)
    )
    ring(Job.SEND, message_id=message.pk)
    log.info("staff.answered", conversation_id=conversation_id, message_id=message.pk, actor=actor)
    return message


def _active_id(closed: Conversation) -> str | None:
    """Return the id of the conversation that the customer's messages go to now; None without one."""
    active = Conversation.objects.filter(customer_id=closed.customer_id, is_active=True)
    return active.values_list("pk", flat=True).first()


def _parts(text: str, customer: Customer) -> list[str]:
    """Return the post; the number is not deleted before the transaction ends."""
    number = sql.row(
        "SELECT type FROM phone_numbers WHERE phone_number_id = %s AND deleted_at IS NULL FOR SHARE",
        [customer.phone_number_id],
    )
    if number is None:
        raise ChannelGoneError("the number was deleted")
    try:
        senders.for_channel(number["type"])
    except NotDeliveredError as error:
        raise ChannelGoneError(str(error)) from error
    return store.parts(text, channel=number["type"])


def _store(conversation: Conversation, message_id: str, *, number: str, text: str, actor: str) -> Message:
    conversation.last_sequence_no += 1
    conversation.last_message_at = timezone.now()
    conversation.save(update_fields=["last_sequence_no", "last_message_at"])
    return Message.objects.create(
        message_id=message_id,
        user_id=conversation.user_id,
        conversation=conversation,
        phone_number_id=number,
        sender=Message.Sender.AGENT,
        author=Message.Author.STAFF,
        actor=actor[:100],
        text=text,
        timestamp=conversation.last_message_at,
        status=Message.Status.PENDING,
        sequence_no=conversation.last_sequence_no,
        openai_knows=False,
    )
