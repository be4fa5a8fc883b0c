"""What customers do to messages that were said already: react to them, edit them, take them back."""

from django.db.models import Q, QuerySet

from channels_app import taken_back
from channels_app.models import ChannelEvent, InboundMessage
from conversations.models import Message


def react(event: ChannelEvent) -> bool:
    """Note a reaction, or that it was taken back, on a message of either side."""
    messages = _messages_about(event)
    emoji = str(event.data.get("emoji") or "")[:50]
    return bool(
        Message.objects.filter(pk__in=[message.pk for message in messages]).update(
            reaction=emoji, reacted_at=event.received_at, reaction_known=not emoji
        )
    )


def edit(event: ChannelEvent) -> bool:
    """Put the new text in place of the old, in the inbox too if it still waits there."""
    if _is_taken_back(event):
        ChannelEvent.objects.filter(pk=event.pk).update(data={}, payload={})
        return True
    text = str(event.data.get("text") or "")
    waiting = _waiting(event).update(text=text)
    messages = Message.objects.filter(
        pk__in=[message.pk for message in _messages_about(event)], sender=Message.Sender.USER
    )
    return bool(messages.update(text=text, edited_at=event.occurred_at) or waiting)


def revoke(event: ChannelEvent) -> bool:
    """
    Wipe a message that a customer took back, with its files; it is not answered if that has not begun yet.

    The row of the inbox is locked before the message's.
    """
    is_known = taken_back.wipe(
        phone_number_id=event.phone_number_id, provider_message_id=event.provider_message_id
    )
    messages = Message.objects.select_for_update(no_key=True).filter(
        pk__in=[message.pk for message in _messages_about(event)], sender=Message.Sender.USER
    )
    for message in messages:
        taken_back.delete_files([entry["name"] for entry in message.media if entry.get("name")])
        message.text, message.context, message.media = "", "", []
        message.deleted_at = event.occurred_at
        message.save(update_fields=["text", "context", "media", "deleted_at"])
        is_known = True
    return is_known


def _is_taken_back(event: ChannelEvent) -> bool:
    return ChannelEvent.objects.filter(
        kind="revoke",
        phone_number_id=event.phone_number_id,
        provider_message_id=event.provider_message_id,
        applied_at__isnull=False,
    ).exists()


def _waiting(event: ChannelEvent) -> QuerySet[InboundMessage]:
    return InboundMessage.objects.filter(
        phone_number_id=event.phone_number_id,
        provider_message_id=event.provider_message_id,
        status=InboundMessage.Status.PENDING,
    )


def _messages_about(event: ChannelEvent) -> list[Message]:
    """Find the message an event speaks of, within its number."""
    received = Q(
        provider_message_id=event.provider_message_id, inbound__phone_number_id=event.phone_number_id
    )
    sent = Q(
        deliveries__provider_message_id=event.provider_message_id,
        deliveries__phone_number_id=event.phone_number_id,
    )
    return list(Message.objects.filter(received)[:1]) or list(Message.objects.filter(sent)[:1])
