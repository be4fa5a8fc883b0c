"""What a phone number looks like in the API."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents import number_states
from agents.api import webchat_serializers
from agents.api.webchat_serializers import WebChatInput, WebChatSerializer
from agents.number_states import Status
from channels_app.models import PhoneNumber
from config.lib.api.serializers import (
    ChoiceField,
    FlagField,
    PageQuery,
    StrictSerializer,
    TextField,
    is_id,
)

_VERIFY = (
    "Ask Meta, before anything is stored, whether `access_token` can read this number. Production always "
    "does."
)


EXAMPLE: dict[str, Any] = {
    "phone_number_id": "109876543210987",
    "type": "whatsapp",
    "external_number": "+12025550100",
    "display_name": "Example Bakery",
    "has_access_token": True,
    "agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "sender_id": "",
    "api_base_url": "",
    "webchat": None,
    "state": {
        "status": "active",
        "last_received_at": "2026-11-24T12:03:01Z",
        "last_sent_at": "2026-11-24T12:03:04Z",
        "last_error": None,
    },
    "created_at": "2026-11-24T12:00:00Z",
}


class LastErrorSerializer(serializers.Serializer[Any]):
    """The last error of a number."""

    code = serializers.CharField(
        allow_blank=True, help_text="The channel's code, or one of ours; empty = not known."
    )
    message = serializers.CharField(allow_blank=True, help_text="The channel's explanation.")
    at = serializers.DateTimeField(help_text="When.")


class NumberStateSerializer(serializers.Serializer[Any]):
    """The state of a number."""

    status = serializers.ChoiceField(
        choices=[status.value for status in Status],
        help_text="The first that applies: `no_agent` = no agent answers here; `channel_error` = the "
        "channel refuses all messages until a person fixes it; `no_credits` = no credits are left; `silent` "
        "= messages used to come in and no longer do; `active` = customers are answered.",
    )
    last_received_at = serializers.DateTimeField(
        allow_null=True, help_text="When the last customer message arrived."
    )
    last_sent_at = serializers.DateTimeField(
        allow_null=True, help_text="When the channel last accepted a message."
    )
    last_error = LastErrorSerializer(
        allow_null=True,
        help_text="The last error of the channel, or of a message that is still `failed`; null = none.",
    )


class _NumberListSerializer(serializers.ListSerializer[PhoneNumber]):
    """Reads the states of all numbers of a page at once."""

    def to_representation(self, data: Any) -> list[Any]:
        numbers = list(data)
        states = number_states.states([number.pk for number in numbers])
        for number in numbers:
            number.state = states.get(number.pk)
        return super().to_representation(numbers)


class PhoneNumberSerializer(serializers.ModelSerializer[PhoneNumber]):
    """A number; its access token is never shown."""

    has_access_token = serializers.SerializerMethodField(help_text="Whether an access token is stored.")
    agent_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The agent that answers here; null = none."
    )

    webchat = serializers.SerializerMethodField(help_text="Web chats only; null on other channels.")
    state = serializers.SerializerMethodField(
        help_text="Whether customers are answered here. It does not affect the `ETag`."
    )

    class Meta:
        model = PhoneNumber
        fields: tuple[str, ...] = (
            *("phone_number_id", "type", "external_number", "display_name", "has_access_token", "agent_id"),
            *("sender_id", "api_base_url", "webchat", "state", "created_at"),
        )
        read_only_fields = fields
        list_serializer_class = _NumberListSerializer

    def get_has_access_token(self, number: PhoneNumber) -> bool:
        """Return whether the number has an access token."""
        return bool(number.access_token)

    @extend_schema_field(WebChatSerializer(allow_null=True))
    def get_webchat(self, number: PhoneNumber) -> dict[str, Any] | None:
        """Show how it looks."""
        return webchat_serializers.serialized(number)

    @extend_schema_field(NumberStateSerializer)
    def get_state(self, number: PhoneNumber) -> dict[str, Any]:
        """Return its state, which a list has read already."""
        state = getattr(number, "state", None) or number_states.states([number.pk])[number.pk]
        return dict(NumberStateSerializer(state).data)


class NewPhoneNumberSerializer(PhoneNumberSerializer):
    """A number that was just registered."""

    webchat_secret = serializers.CharField(
        allow_null=True, help_text="Web chats only, shown only once; null on other channels."
    )

    class Meta(PhoneNumberSerializer.Meta):
        fields = (*PhoneNumberSerializer.Meta.fields, "webchat_secret")
        read_only_fields = fields


class NumberChangesInput(StrictSerializer):
    """What can be changed of a number."""

    external_number = TextField(
        max_length=100, required=False, allow_blank=True, help_text="The number or name that customers know."
    )
    access_token = TextField(
        max_length=4096,
        required=False,
        write_only=True,
        trim_whitespace=False,
        validators=[
            RegexValidator(r"^[\x21-\x7e]+\Z", "An access token can contain only visible ASCII characters.")
        ],
        help_text="Meta's access token. Required except for web chats. Stored encrypted and never shown.",
    )
    display_name = TextField(
        max_length=255, required=False, allow_blank=True, help_text="A name for people at the business."
    )
    sender_id = TextField(
        max_length=50,
        required=False,
        allow_blank=True,
        help_text="The id that messages are sent from, if it is not the number's: with Facebook Login, the "
        "page's id.",
    )
    api_base_url = TextField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="An address of Meta's Graph API; empty = the channel's default.",
    )
    webchat = WebChatInput(
        required=False, help_text="Web chats only: how the chat looks, and which pages may show it."
    )
    verify = FlagField(required=False, default=False, help_text=_VERIFY)


class NumberInput(NumberChangesInput):
    """A new number."""

    phone_number_id = TextField(
        required=False,
        max_length=50,
        trim_whitespace=False,
        validators=[is_id(most=50)],
        help_text="Meta's id of the number or account. Required except for web chats, which get an id that "
        "begins with `web_`.",
    )
    type = ChoiceField(choices=PhoneNumber.Type.choices, help_text="The channel.")


class NumberListQuery(PageQuery):
    """What the list of numbers can be narrowed to."""

    type = ChoiceField(choices=PhoneNumber.Type.choices, required=False, help_text="Only this channel.")
    status = ChoiceField(
        choices=[status.value for status in Status],
        required=False,
        help_text="Only numbers whose `state` has this `status`.",
    )


def version(representation: dict[str, Any]) -> dict[str, Any]:
    """Return what the ETag is made of: all but the state, which each message changes."""
    return {name: value for name, value in representation.items() if name != "state"}
