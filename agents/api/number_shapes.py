"""What a phone number looks like in the API."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.api import webchat_shapes
from agents.api.webchat_shapes import WebChatInput, WebChatSerializer
from channels_app.models import PhoneNumber
from config.lib.api.serializers import ChoiceField, FlagField, PageQuery, StrictSerializer, TextField

_VERIFY = (
    "Have Graph confirm, before anything is kept, that `access_token` may read this number. In production it "
    "always does."
)


class PhoneNumberSerializer(serializers.ModelSerializer[PhoneNumber]):
    """A number; its access token is never shown."""

    has_access_token = serializers.SerializerMethodField(help_text="Whether an access token is kept.")
    agent_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="Who answers here; null = nobody."
    )

    webchat = serializers.SerializerMethodField(help_text="Of a web chat; null on other channels.")

    class Meta:
        model = PhoneNumber
        fields: tuple[str, ...] = (
            *("phone_number_id", "type", "external_number", "display_name", "has_access_token", "agent_id"),
            *("sender_id", "api_base_url", "webchat", "created_at"),
        )
        read_only_fields = fields

    def get_has_access_token(self, number: PhoneNumber) -> bool:
        """Tell whether there is one."""
        return bool(number.access_token)

    @extend_schema_field(WebChatSerializer(allow_null=True))
    def get_webchat(self, number: PhoneNumber) -> dict[str, Any] | None:
        """Show how it looks."""
        return webchat_shapes.shown(number)


class NewPhoneNumberSerializer(PhoneNumberSerializer):
    """A number that was just registered."""

    webchat_secret = serializers.CharField(
        allow_null=True, help_text="Of a web chat, shown this once; null on other channels."
    )

    class Meta(PhoneNumberSerializer.Meta):
        fields = (*PhoneNumberSerializer.Meta.fields, "webchat_secret")
        read_only_fields = fields


class NumberChangesInput(StrictSerializer):
    """What can be changed of a number."""

    external_number = TextField(
        max_length=100, required=False, allow_blank=True, help_text="The number or name customers know."
    )
    access_token = TextField(
        max_length=4096,
        required=False,
        write_only=True,
        trim_whitespace=False,
        validators=[RegexValidator(r"^[\x21-\x7e]+\Z", "may hold visible ASCII characters only")],
        help_text="Meta's access token, needed but for web chats. Kept encrypted and never shown.",
    )
    display_name = TextField(
        max_length=255, required=False, allow_blank=True, help_text="A name for people at the business."
    )
    sender_id = TextField(
        max_length=50,
        required=False,
        allow_blank=True,
        help_text="The id messages are sent as, where it is not the number's: the page's with "
        "Facebook Login.",
    )
    api_base_url = TextField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="An address of Meta's Graph API; empty = the channel's own.",
    )
    webchat = WebChatInput(required=False, help_text="Of a web chat: how it looks, and where it may stand.")
    verify = FlagField(required=False, default=False, help_text=_VERIFY)


class NumberInput(NumberChangesInput):
    """A new number."""

    phone_number_id = TextField(
        required=False,
        max_length=50,
        trim_whitespace=False,
        validators=[RegexValidator(r"^[A-Za-z0-9_-]{1,50}\Z", "is no id")],
        help_text="Meta's id of the number or account. Required but for a web chat, which gets a `web_…`.",
    )
    type = ChoiceField(choices=PhoneNumber.Type.choices, help_text="The channel.")


class NumberListQuery(PageQuery):
    """What the list of numbers can be narrowed to."""

    type = serializers.ChoiceField(
        choices=PhoneNumber.Type.choices, required=False, help_text="Only this channel."
    )
