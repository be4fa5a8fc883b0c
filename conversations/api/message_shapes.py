"""How messages are shown."""

from typing import Any

from django.db.models import F, QuerySet
from rest_framework import serializers

from config.lib.api.problems import not_found
from conversations.models import Delivery, Message

TAG = "Messages"
EXAMPLE: dict[str, Any] = {
    "message_id": "msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "106540352242922",
    "customer_phone": "12025550123",
    "sender": "agent",
    "author": "ai",
    "actor": "",
    "kind": "text",
    "text": "Yes, we are open until six.",
    "media": [],
    "reaction": "",
    "edited_at": None,
    "deleted_at": None,
    "timestamp": "2026-11-24T12:03:00Z",
    "status": "delivered",
    "failure_reason": "",
    "failed_at": None,
    "sequence_no": 2,
    "tokens_used": 412,
    "turn_id": "trn_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
}
WINDOW_CLOSED = (
    "window_closed",
    "The customer last wrote more than 24 hours ago: the channel takes nothing until they write again.",
)


class MediaSerializer(serializers.Serializer[Any]):
    """A file that came with a message."""

    kind = serializers.CharField(help_text="image, video, audio, voice, document or sticker.")
    mime_type = serializers.CharField(
        default="", help_text="As the channel told it, or as it was found to be."
    )
    filename = serializers.CharField(default="", help_text="As the customer named it.")
    name = serializers.CharField(default="", help_text="Where it is stored here; empty = not fetched.")
    transcript = serializers.CharField(default="", help_text="What is said in it, if it was written down.")


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message."""

    conversation_id = serializers.CharField(read_only=True)
    phone_number_id = serializers.CharField(read_only=True)
    customer_phone = serializers.CharField(
        source="address",
        read_only=True,
        help_text="The customer's phone, or the id the channel knows them by.",
    )
    actor = serializers.CharField(read_only=True, help_text="Who of the staff said it, if known.")
    text = serializers.SerializerMethodField(help_text="Empty if the customer took it back.")
    media = serializers.SerializerMethodField(help_text="Files that came with it.")
    turn_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The same for a reply and what it answers."
    )

    class Meta:
        model = Message
        fields: tuple[str, ...] = (
            *("message_id", "conversation_id", "phone_number_id", "customer_phone", "sender", "author"),
            *("actor", "kind", "text", "media", "reaction", "edited_at", "deleted_at", "timestamp", "status"),
            *("failure_reason", "failed_at", "sequence_no", "tokens_used", "turn_id"),
        )
        read_only_fields = fields

    def get_text(self, row: Message) -> str:
        """Give what was said."""
        return "" if row.deleted_at else row.text

    def get_media(self, row: Message) -> MediaSerializer(many=True):  # type: ignore[valid-type]
        """Give what is known of the files, without where the channel has them."""
        return [] if row.deleted_at else MediaSerializer(row.media, many=True).data


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One part of a message, sent once."""

    attempt = serializers.IntegerField(read_only=True, help_text="Each retry makes a new one.")
    part = serializers.IntegerField(read_only=True, help_text="Long texts are sent in parts.")

    class Meta:
        model = Delivery
        fields: tuple[str, ...] = (
            *("delivery_id", "attempt", "part", "state", "error", "sending_at", "updated_at"),
            "provider_message_id",
        )
        read_only_fields = fields


class MessageDetailSerializer(MessageSerializer):
    """A message and how it was sent."""

    deliveries = DeliverySerializer(many=True, read_only=True)

    class Meta(MessageSerializer.Meta):
        fields = (*MessageSerializer.Meta.fields, "deliveries")
        read_only_fields = fields


class RetriedMessageSerializer(MessageSerializer):
    """A message that is tried again."""

    started = serializers.BooleanField(
        read_only=True, help_text="false = it was being tried again already, and that goes on."
    )

    class Meta(MessageSerializer.Meta):
        fields = ("started", *MessageSerializer.Meta.fields)
        read_only_fields = fields


def shown(rows: QuerySet[Message]) -> QuerySet[Message]:
    """Add what `MessageSerializer` shows beside a message's own, and leave out what it does not."""
    unseen = ("context", "openai_item_ids")
    return rows.annotate(address=F("conversation__customer_phone")).defer(*unseen)


def get_message(user_id: str, message_id: str) -> Message:
    """
    Give a message of the business.

    :raises ProblemError: 404 if there is none
    """
    found = shown(Message.objects.of(user_id)).filter(pk=message_id).first()
    if found is None:
        raise not_found()
    return found
