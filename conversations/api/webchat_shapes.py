"""What visitors' browsers send and are told."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from channels_app.webchat import identities, messages
from config.lib.api.serializers import StrictSerializer, TextField, TimestampField
from conversations import visitor

_JWT = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z"
_FILE_ID = r"^[0-9a-f]{48}-(png|jpg|gif|webp)\Z"


class ConfigSerializer(serializers.Serializer[Any]):
    """How a chat looks. Whoever knows its id may read it, so nothing else may stand here."""

    title = serializers.CharField(help_text="Above the chat; empty = the widget's own word.")
    subtitle = serializers.CharField(help_text="Below the title.")
    welcome_text = serializers.CharField(help_text="Shown before anything was written.")
    placeholder = serializers.CharField(help_text="Where one writes; empty = the widget's own words.")
    launcher_label = serializers.CharField(help_text="On the button that opens the chat; empty = none.")
    color = serializers.RegexField(r"^#[0-9a-f]{6}$", help_text="The main colour.")
    position = serializers.CharField(help_text="`left` or `right`.")
    theme = serializers.CharField(help_text="`auto`, `light` or `dark`.")
    texts = serializers.DictField(
        child=serializers.CharField(), help_text="The widget's own words, where the business has others."
    )
    is_available = serializers.BooleanField(help_text="Whether an agent with credits answers.")
    events_url = serializers.CharField(help_text="Where the event stream is.")


class HashIdentityInput(StrictSerializer):
    """The identity format before tokens."""

    user_id = TextField(max_length=200, trim_whitespace=False, help_text="The business's id of the user.")
    name = TextField(
        max_length=identities.MAX_NAME_LENGTH,
        required=False,
        allow_blank=True,
        default="",
        help_text="Ignored: the hash does not cover it.",
    )
    hash = TextField(
        max_length=64,
        trim_whitespace=False,
        validators=[RegexValidator(r"^[0-9a-f]{64}\Z", "A hash is 64 lower-case hexadecimal digits.")],
        help_text="HMAC-SHA256 of `user_id` with the chat's secret, in lower-case hex.",
    )


class SessionInput(StrictSerializer):
    """A new session."""

    identity_token = TextField(
        required=False,
        max_length=identities.MAX_TOKEN_LENGTH,
        trim_whitespace=False,
        validators=[
            RegexValidator(_JWT, "An identity token is three parts of base64url with dots between them.")
        ],
        help_text="A JSON Web Token by which the business's server vouches for the visitor. None: an "
        "anonymous visitor.",
    )
    identity = HashIdentityInput(
        required=False,
        help_text="Deprecated; accepted until the chat's `identity_hashes_until`, and ignored beside an "
        "`identity_token`.",
    )


class VisitorSerializer(serializers.Serializer[Any]):
    """The visitor of the session."""

    name = serializers.CharField(help_text="The name in the token; empty where there is none.")


class SessionSerializer(serializers.Serializer[Any]):
    """A session."""

    token = serializers.CharField(help_text="Send it as `Authorization: Bearer …`, never in a URL.")
    expires_at = serializers.DateTimeField(help_text="Until then a new one is issued for it.")
    visitor = VisitorSerializer()


class MessageInput(StrictSerializer):
    """What a visitor writes: a text, a picture that was sent before, or both."""

    message_id = TextField(
        max_length=64,
        trim_whitespace=False,
        validators=[
            RegexValidator(r"^[A-Za-z0-9_-]{8,64}\Z", "A message id is 8 to 64 letters, digits, `_` or `-`.")
        ],
        help_text="The browser's own: sent again with the same one, nothing happens.",
    )
    text = TextField(
        max_length=messages.MOST_TEXT,
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text="Needed without a picture; not only white space.",
    )
    file_id = TextField(
        max_length=60,
        required=False,
        trim_whitespace=False,
        validators=[RegexValidator(_FILE_ID, "This is not the id of a file.")],
        help_text="Of a picture that this visitor sent.",
    )
    sent_at = TimestampField(required=False, help_text="When it was written, if that is some time ago.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """
        Have something said.

        :raises ValidationError: if there is neither text nor picture
        """
        if not attrs["text"].strip() and "file_id" not in attrs:
            raise serializers.ValidationError({"text": ["This field may not be blank."]}, code="blank")
        return attrs


class TakenSerializer(serializers.Serializer[Any]):
    """What was kept."""

    message_id = serializers.CharField(help_text="The browser's own.")


class FileSerializer(serializers.Serializer[Any]):
    """A kept picture."""

    file_id = serializers.CharField(help_text="To be sent with a message.")


class ImageSerializer(serializers.Serializer[Any]):
    """A picture of a message."""

    file_id = serializers.CharField(help_text="Read it at `/webchat/{phone_number_id}/files/{file_id}`.")


class ChatMessageSerializer(serializers.Serializer[Any]):
    """A message as a visitor sees it. Told again with the same `id` when its status is another."""

    id = serializers.CharField(help_text="The same whenever it is told.")
    text = serializers.CharField(help_text="Markdown, as its author wrote it.")
    at = serializers.DateTimeField(help_text="When it was said.")
    image = ImageSerializer(allow_null=True)
    client_id = serializers.CharField(allow_null=True, help_text="`message_id` of the visitor's own.")
    status = serializers.ChoiceField(
        choices=("received", "answered", "failed", "unavailable", "sent", "read"),
        help_text="Of the visitor's own: `received`, `answered`, `failed` or `unavailable` (the business is "
        "out of credits); of others: `sent` or `read`.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Give `from` too, which no class can have as an attribute."""
        author = serializers.ChoiceField(choices=("visitor", "ai", "staff"), help_text="Who said it.")
        fields = super().get_fields()
        return {"id": fields.pop("id"), "from": author, **fields}


class StateSerializer(serializers.Serializer[Any]):
    """How the chat stands."""

    is_available = serializers.BooleanField(help_text="Whether somebody answers.")
    is_paused = serializers.BooleanField(help_text="Whether a person does.")


class ChatPageSerializer(serializers.Serializer[Any]):
    """What was said since a cursor."""

    messages = ChatMessageSerializer(many=True, help_text="Oldest first.")
    cursor = serializers.CharField(help_text="Give it as `after` to go on from here.")
    has_more = serializers.BooleanField(help_text="Whether there is more right now.")
    state = StateSerializer(help_text="How the chat stands.")


class ChatPageQuery(StrictSerializer):
    """Where to go on from."""

    after = serializers.CharField(
        required=False, max_length=4000, help_text="A `cursor`; without one, the newest messages."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=visitor.MOST, default=50, help_text="How many messages at most."
    )


class ReadInput(StrictSerializer):
    """How far a visitor has read."""

    cursor = TextField(max_length=4000, help_text="Of the page they have seen.")
