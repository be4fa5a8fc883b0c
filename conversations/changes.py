"""What customers do to messages that were said already: react to them, edit them, take them back."""

from django.db.models import Q, QuerySet

from channels_app.models import ChannelEvent, InboundMessage
from conversations.models import Message


def react(event: ChannelEvent) -> bool:
    """Note a reaction, or that it was taken back, on a message of either side."""
    found = _said(event)
    emoji = str(event.data.get("emoji") or "")[:50]
    return bool(
        Message.objects.filter(pk__in=[message.pk for message in found]).update(
            reaction=emoji, reacted_at=event.received_at, reaction_known=not emoji
        )
    )


def edit(event: ChannelEvent) -> bool:
    """Put the new text in place of the old, in the inbox too if it still waits there."""
    text = str(event.data.get("text") or "")
    waiting = _waiting(event).update(text=text)
    said = Message.objects.filter(pk__in=[message.pk for message in _said(event)], sender=Message.Sender.USER)
    return bool(said.update(text=text, edited_at=event.occurred_at) or waiting)


def revoke(event: ChannelEvent) -> bool:
    """Forget what a customer took back; it is not answered if that has not happened yet."""
    waiting = _waiting(event).update(status=InboundMessage.Status.IGNORED, reason="taken back", text="")
    said = Message.objects.filter(pk__in=[message.pk for message in _said(event)], sender=Message.Sender.USER)
    return bool(said.update(text="", media=[], deleted_at=event.occurred_at) or waiting)


def _waiting(event: ChannelEvent) -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(
        phone_number_id=event.phone_number_id,
        provider_message_id=event.provider_message_id,
        status=InboundMessage.Status.PENDING,
    )


def _said(event: ChannelEvent) -> list[Message]:
    """Find the message an event speaks of, within its number."""
    told = Q(provider_message_id=event.provider_message_id, inbound__phone_number_id=event.phone_number_id)
    sent = Q(
        deliveries__provider_message_id=event.provider_message_id,
        deliveries__phone_number_id=event.phone_number_id,
    )
    return list(Message.objects.filter(told)[:1]) or list(Message.objects.filter(sent)[:1])
