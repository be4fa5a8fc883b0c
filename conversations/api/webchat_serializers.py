"""What visitors' browsers send and are told."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from channels_app.webchat import identities, messages
from config.lib.api.serializers import StrictSerializer, TextField, TimestampField
from conversations import visitor_history

_JWT = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z"
_FILE_ID = r"^[0-9a-f]{48}-(png|jpg|gif|webp)\Z"


class ConfigSerializer(serializers.Serializer[Any]):
    """How a chat looks. Whoever knows its id may read it, so nothing else may stand here."""

    title = serializers.CharField(help_text="The title above the chat; empty = the widget's own.")
    subtitle = serializers.CharField(help_text="A line below the title.")
    welcome_text = serializers.CharField(help_text="Shown before the first message.")
    placeholder = serializers.CharField(
        help_text="The placeholder of the input field; empty = the widget's own."
    )
    launcher_label = serializers.CharField(
        help_text="The label of the button that opens the chat; empty = none."
    )
    color = serializers.RegexField(r"^#[0-9a-f]{6}$", help_text="The main colour.")
    position = serializers.CharField(help_text="`left` or `right`.")
    theme = serializers.CharField(help_text="`auto`, `light` or `dark`.")
    texts = serializers.DictField(
        child=serializers.CharField(), help_text="The business's texts that replace the widget's own."
    )
    is_available = serializers.BooleanField(
        help_text="Whether an agent answers and the business has credits."
    )
    events_url = serializers.CharField(help_text="The address of the event stream.")


class HashIdentityInput(StrictSerializer):
    """The identity format before tokens."""

    user_id = TextField(max_length=200, trim_whitespace=False, help_text="The business's id of the user.")
    name = TextField(
        max_length=identities.MAX_NAME_LENGTH,
        required=False,
        allow_blank=True,
        default="",
        help_text="Ignored, because the hash does not cover it.",
    )
    hash = TextField(
        max_length=64,
        trim_whitespace=False,
        validators=[RegexValidator(r"^[0-9a-f]{64}\Z", "A hash must be 64 lower-case hexadecimal digits.")],
        help_text="HMAC-SHA256 of `user_id` with the chat's secret, in lower-case hex.",
    )


class SessionInput(StrictSerializer):
    """A new session."""

    identity_token = TextField(
        required=False,
        max_length=identities.MAX_TOKEN_LENGTH,
        trim_whitespace=False,
        validators=[
            RegexValidator(_JWT, "An identity token must be three parts in base64url, separated by dots.")
        ],
        help_text="A JSON Web Token in which the business's server names the signed-in user. Without it "
        "the visitor is anonymous.",
    )
    identity = HashIdentityInput(
        required=False,
        help_text="Deprecated. Accepted until the chat's `identity_hashes_until`, and ignored if there is "
        "an `identity_token`.",
    )


class VisitorSerializer(serializers.Serializer[Any]):
    """The visitor of the session."""

    name = serializers.CharField(help_text="The name in the token; empty = none.")


class SessionSerializer(serializers.Serializer[Any]):
    """A session."""

    token = serializers.CharField(help_text="Send it as `Authorization: Bearer …`, never in a URL.")
    expires_at = serializers.DateTimeField(help_text="Until this time you can exchange it for a new one.")
    visitor = VisitorSerializer()


class MessageInput(StrictSerializer):
    """What a visitor writes: a text, a picture that was sent before, or both."""

    message_id = TextField(
        max_length=64,
        trim_whitespace=False,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9_-]{8,64}\Z", "A message id must be 8 to 64 letters, digits, `_` or `-`."
            )
        ],
        help_text="An id that the browser creates. Sending the same one again does nothing.",
    )
    text = TextField(
        max_length=messages.MOST_TEXT,
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text="Required if there is no picture; not only white space.",
    )
    file_id = TextField(
        max_length=60,
        required=False,
        trim_whitespace=False,
        validators=[RegexValidator(_FILE_ID, "This is not the id of a file.")],
        help_text="The id of a picture that this visitor uploaded.",
    )
    sent_at = TimestampField(required=False, help_text="When it was written, if that was some time ago.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """
        Require a text or a picture.

        :raises ValidationError: if there is neither text nor picture
        """
        if not attrs["text"].strip() and "file_id" not in attrs:
            raise serializers.ValidationError({"text": ["This field may not be blank."]}, code="blank")
        return attrs


class TakenSerializer(serializers.Serializer[Any]):
    """What was kept."""

    message_id = serializers.CharField(help_text="The id that the browser created.")


class FileSerializer(serializers.Serializer[Any]):
    """A kept picture."""

    file_id = serializers.CharField(help_text="Send it with a message.")


class ImageSerializer(serializers.Serializer[Any]):
    """A picture of a message."""

    file_id = serializers.CharField(help_text="Read it at `/webchat/{phone_number_id}/files/{file_id}`.")


class ChatMessageSerializer(serializers.Serializer[Any]):
    """A message as a visitor sees it. Told again with the same `id` when its status is another."""

    id = serializers.CharField(help_text="Stays the same whenever the message is returned.")
    text = serializers.CharField(help_text="Markdown, as its author wrote it.")
    at = serializers.DateTimeField(help_text="When it was written.")
    image = ImageSerializer(allow_null=True)
    client_id = serializers.CharField(
        allow_null=True, help_text="The `message_id`, for the visitor's own messages."
    )
    status = serializers.ChoiceField(
        choices=("received", "answered", "failed", "unavailable", "sent", "read"),
        help_text="For the visitor's own messages `received`, `answered`, `failed` or `unavailable` (the "
        "business has no credits left); for others `sent` or `read`.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Add `from`, which no class can have as an attribute."""
        author = serializers.ChoiceField(choices=("visitor", "ai", "staff"), help_text="Who wrote it.")
        fields = super().get_fields()
        return {"id": fields.pop("id"), "from": author, **fields}


class StateSerializer(serializers.Serializer[Any]):
    """How the chat stands."""

    is_available = serializers.BooleanField(help_text="Whether an agent or a person answers.")
    is_paused = serializers.BooleanField(help_text="Whether a person answers.")


class ChatPageSerializer(serializers.Serializer[Any]):
    """What was said since a cursor."""

    messages = ChatMessageSerializer(many=True, help_text="Oldest first.")
    cursor = serializers.CharField(help_text="Send it as `after` to continue from here.")
    has_more = serializers.BooleanField(help_text="Whether there are more messages right now.")
    state = StateSerializer(help_text="The state of the chat.")


class ChatPageQuery(StrictSerializer):
    """Where to go on from."""

    after = serializers.CharField(
        required=False, max_length=4000, help_text="A `cursor`; without one, the newest messages."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=visitor_history.MOST, default=50, help_text="The maximum number of messages."
    )


class ReadInput(StrictSerializer):
    """How far a visitor has read."""

    cursor = TextField(max_length=4000, help_text="The cursor of the page they have seen.")
