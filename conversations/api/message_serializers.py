"""How messages are shown: a description of what `conversations.message_object` makes of them."""

from typing import Any

from rest_framework import serializers

from channels_app.models import PhoneNumber
from config.lib.api.problems import not_found
from conversations import message_object
from conversations.api.customer_serializers import EXAMPLE as CUSTOMER
from conversations.api.customer_serializers import CustomerSerializer
from conversations.models import Delivery, Message

TAG = "Messages"
EXAMPLE: dict[str, Any] = {
    "message_id": "msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "106540352242922",
    "channel": "whatsapp",
    "customer_phone": "12025550123",
    "customer": CUSTOMER,
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
    "reason": None,
    "failure_reason": "",
    "failed_at": None,
    "unknown_at": None,
    "sequence_no": 2,
    "tokens_used": 412,
    "turn_id": "trn_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "in_reply_to": "msg_01KB2T7K9H4P7Q8R9S0T1V2W3X",
    "client_message_id": None,
}
WINDOW_CLOSED = (
    "window_closed",
    (
        "The customer last wrote more than 24 hours ago. The channel accepts no messages until they write "
        "again."
    ),
)


class MediaSerializer(serializers.Serializer[Any]):
    """A file that came with a message."""

    kind = serializers.CharField(help_text="image, video, audio, voice, document or sticker.")
    mime_type = serializers.CharField(
        default="", help_text="As the channel reported it, or as detected from the content."
    )
    filename = serializers.CharField(default="", help_text="The name that the customer gave the file.")
    name = serializers.CharField(
        default="", help_text="Where the service stores it; empty = not fetched yet."
    )
    transcript = serializers.CharField(
        default="", help_text="The transcript of a voice note, if there is one."
    )
    url = serializers.URLField(
        allow_null=True,
        help_text="Where you can download the file until `expires_at`, without an API key; null = the file "
        "does not exist or no longer exists.",
    )
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When `url` expires.")


class ReasonSerializer(serializers.Serializer[Any]):
    """Why something happened."""

    code = serializers.CharField(
        help_text="For programs: the channel's code, such as `131056`, or one of ours."
    )
    message = serializers.CharField(help_text="For people; the wording may change.")


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message; `to_representation` returns the message object, and the fields here describe it."""

    conversation_id = serializers.CharField(read_only=True)
    agent_id = serializers.CharField(read_only=True, help_text="The agent of the conversation.")
    channel = serializers.ChoiceField(
        choices=PhoneNumber.Type.choices, read_only=True, help_text="The channel."
    )
    customer = CustomerSerializer(read_only=True, help_text="The customer of the conversation.")
    reason = ReasonSerializer(
        read_only=True,
        allow_null=True,
        help_text="Why it failed, was not answered, or may not have arrived; null = nothing went wrong.",
    )
    phone_number_id = serializers.CharField(read_only=True)
    customer_phone = serializers.CharField(
        read_only=True,
        help_text="The customer's phone number, or their id on the channel.",
    )
    actor = serializers.CharField(read_only=True, help_text="The member of staff who wrote it, if known.")
    text = serializers.CharField(read_only=True, help_text="Empty if the customer deleted the message.")
    media = MediaSerializer(many=True, read_only=True, help_text="Files that came with it.")
    turn_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The same for a reply and the messages it answers."
    )

    in_reply_to = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="The message it replies to. For an AI reply, the newest message with the same `turn_id`; "
        "for a customer's message, the one they quote; null = not known.",
    )
    client_message_id = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="In a web chat, the `message_id` that your server or the widget gave it; otherwise null.",
    )

    class Meta:
        model = Message
        fields: tuple[str, ...] = tuple(EXAMPLE)
        read_only_fields = fields

    def to_representation(self, instance: Message) -> dict[str, Any]:
        """Return the message object of a row that `message_object.rows` has read."""
        return message_object.of(instance)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One part of a message, sent once."""

    attempt = serializers.IntegerField(read_only=True, help_text="Increases with each retry.")
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


def get_message(user_id: str, message_id: str) -> Message:
    """
    Return a message of the business.

    :raises ProblemError: 404 if there is none
    """
    message = message_object.rows(Message.objects.of(user_id)).filter(pk=message_id).first()
    if message is None:
        raise not_found("message_id")
    return message
