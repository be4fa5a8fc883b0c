"""A person answers in the channel's own app: what they said is kept, and the AI steps back."""

from django.db.models import F

from agents.models import Agent
from billing.events import EventType
from channels_app import customers
from channels_app.meta.types import Person
from channels_app.models import ChannelEvent, Customer
from config.lib import locks
from config.lib.locks import Lock
from conversations import message_events, statuses, takeover
from conversations.models import Conversation, Delivery, Message

_IN_FLIGHT = (Delivery.State.SENDING, Delivery.State.UNKNOWN)


def note_echo(event: ChannelEvent) -> bool:
    """Recognise an echo of our own send, or keep what a person said and pause the AI for that customer."""
    if event.person is None or _is_known(event):
        return True
    person = Person(**event.person)
    locks.take(Lock.INTAKE, event.phone_number_id)
    key = (event.phone_number_id, person)
    customer = Customer.objects.get(pk=customers.resolve([key])[key])
    if not _is_our_send(event, customer):
        takeover.pause(customer_id=customer.customer_id, reason="a person answered in the app")
        _keep_staff_message(event, customer)
    return True


def _is_known(event: ChannelEvent) -> bool:
    """Return whether the echo is of a delivery of ours, or of a stored reply."""
    number, provider_id = event.phone_number_id, event.provider_message_id
    sent = Delivery.objects.filter(phone_number_id=number, provider_message_id=provider_id)
    by_callback = Delivery.objects.filter(phone_number_id=number, pk=event.callback_data)
    kept = Message.objects.filter(
        provider_message_id=provider_id, conversation__customer__phone_number_id=number
    )
    return sent.exists() or (bool(event.callback_data) and by_callback.exists()) or kept.exists()


def _is_our_send(event: ChannelEvent, customer: Customer) -> bool:
    """
    Take the echo as proof of a send whose answer is not known yet.

    By the text, since Instagram gives nothing else; only while a send to this very customer is in flight.
    """
    if customer.ig_id is None:
        return False
    in_flight = Delivery.objects.filter(
        phone_number_id=event.phone_number_id,
        message__conversation__customer=customer,
        state__in=_IN_FLIGHT,
        provider_message_id=None,
        text=str(event.data.get("text") or ""),
    ).order_by("created_at")
    oldest = in_flight.first()
    if oldest is None:
        return False
    statuses.lock([oldest.message_id])
    is_proven = Delivery.objects.filter(pk=oldest.pk, state__in=_IN_FLIGHT).update(
        provider_message_id=event.provider_message_id, state=Delivery.State.SENT, error=""
    )
    if is_proven:
        statuses.refresh([oldest.message_id])
    return bool(is_proven)


def _keep_staff_message(event: ChannelEvent, customer: Customer) -> None:
    agent = Agent.objects.live().filter(phone_number_id=event.phone_number_id).first()
    if agent is None:
        return
    conversation, _ = Conversation.objects.get_or_create(
        agent=agent,
        customer=customer,
        is_active=True,
        defaults={"user_id": agent.user_id, "customer_phone": customer.address},
    )
    Conversation.objects.filter(pk=conversation.pk).update(
        last_sequence_no=F("last_sequence_no") + 1, last_message_at=event.occurred_at
    )
    conversation.refresh_from_db(fields=["last_sequence_no"])
    message = Message.objects.create(
        user_id=conversation.user_id,
        conversation=conversation,
        phone_number_id=event.phone_number_id,
        sender=Message.Sender.AGENT,
        author=Message.Author.STAFF,
        kind=str(event.data.get("kind") or "text")[:30],
        text=str(event.data.get("text") or ""),
        timestamp=event.occurred_at,
        status=Message.Status.SENT,
        sequence_no=conversation.last_sequence_no,
        provider_message_id=event.provider_message_id,
        openai_knows=False,
    )
    message_events.record_if_wanted(message.pk, EventType.MESSAGE_SENT, user_id=message.user_id)
