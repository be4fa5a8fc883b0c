"""What a web chat looks like in the API of numbers."""

from typing import Any

from rest_framework import serializers

from channels_app.models import PhoneNumber, WebChat
from channels_app.models.web_chat import MOST_ORIGINS
from channels_app.webchat import chats, origins
from channels_app.webchat.texts import KEYS
from config.lib.api.serializers import (
    ChoiceField,
    DictField,
    IntegerField,
    ListField,
    StrictSerializer,
    TextField,
    TimestampField,
)

EXAMPLE: dict[str, Any] = {
    "embed_snippet": '<script src="https://agents.example/widget.js" '
    'data-phone-number-id="web_01KB2T7M3G5Q8R9S0T1V2W3X4Y" async></script>',
    "hosted_url": "https://agents.example/webchat/web_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "allowed_origins": ["https://shop.example"],
    "title": "Example Bakery",
    "subtitle": "We answer at once",
    "welcome_text": "Hello! What can we do for you?",
    "placeholder": "",
    "launcher_label": "",
    "color": "#1f6feb",
    "position": "right",
    "theme": "auto",
    "texts": {"send": "Off it goes"},
    "daily_limit": 5000,
    "identity_hashes_until": None,
}
SECRET_EXAMPLE = "wcs_Zx3vQm1sT7uYb9cKd2eFg4hJ6kLp8nRqSwVyXzA1B2C"  # noqa: S105  (an example)


class WebChatSerializer(serializers.ModelSerializer[WebChat]):
    """How a web chat looks and where it may stand. Its secret is never shown."""

    embed_snippet = serializers.SerializerMethodField(help_text="The HTML to put into the business's pages.")
    hosted_url = serializers.SerializerMethodField(help_text="The address of the chat as a page of its own.")

    class Meta:
        model = WebChat
        fields: tuple[str, ...] = ("embed_snippet", "hosted_url", *chats.Settings.__annotations__)
        read_only_fields = fields

    def get_embed_snippet(self, chat: WebChat) -> str:
        """Return the script tag."""
        return chats.embed_snippet(chat.phone_number_id)

    def get_hosted_url(self, chat: WebChat) -> str:
        """Return the page's address."""
        return f"{origins.base_url()}/webchat/{chat.phone_number_id}"


class WebChatInput(StrictSerializer):
    """What can be set of a web chat. Only what is sent is changed."""

    allowed_origins = ListField(
        child=TextField(max_length=origins.LONGEST),
        max_length=MOST_ORIGINS,
        required=False,
        help_text="The origins of pages that may show the chat, each as `https://shop.example`: scheme, "
        "host and optionally a port. Empty = none. `http` is allowed only for your own machine, "
        "and not in production.",
    )
    title = TextField(max_length=60, required=False, allow_blank=True, help_text="The title above the chat.")
    subtitle = TextField(
        max_length=100, required=False, allow_blank=True, help_text="A line below the title."
    )
    welcome_text = TextField(
        max_length=500, required=False, allow_blank=True, help_text="Shown before the first message."
    )
    placeholder = TextField(
        max_length=60, required=False, allow_blank=True, help_text="The placeholder of the input field."
    )
    launcher_label = TextField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="The label of the button that opens the chat.",
    )
    color = serializers.RegexField(
        r"^#[0-9a-fA-F]{6}\Z",
        required=False,
        max_length=7,
        help_text="The main colour, for example `#1f6feb`.",
    )
    position = ChoiceField(
        choices=WebChat.Position.choices, required=False, help_text="The corner of the page."
    )
    theme = ChoiceField(
        choices=WebChat.Theme.choices, required=False, help_text="`auto` follows the visitor's device."
    )
    texts = DictField(
        child=TextField(max_length=chats.MOST_TEXT),
        max_entries=len(KEYS),
        required=False,
        help_text="Custom texts that replace the widget's own. They replace all that were set before.",
    )
    daily_limit = IntegerField(
        min_value=0,
        max_value=chats.MOST_A_DAY,
        required=False,
        help_text="Messages of all visitors a day. Further messages are refused and cost nothing.",
    )
    identity_hashes_until = TimestampField(
        required=False,
        allow_null=True,
        help_text="Until this time the chat accepts hashes of user ids as well as identity tokens; null = "
        "tokens only. You can bring it forward or set it to null, but not extend it.",
    )


class WebChatSecretSerializer(serializers.Serializer[Any]):
    """A new secret, shown this once."""

    webchat_secret = serializers.CharField(
        help_text="The key that signs identity tokens and messages of your server. Keep it on your server."
    )


def serialized(number: PhoneNumber) -> dict[str, Any] | None:
    """Show a number's web chat; None if it has none."""
    chat: WebChat | None = getattr(number, "web_chat", None)
    return dict(WebChatSerializer(chat).data) if chat is not None else None
