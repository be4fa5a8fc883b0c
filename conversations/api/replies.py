"""A member of staff answers a customer."""

from http import HTTPStatus

from rest_framework.request import Request
from rest_framework.response import Response

from config.lib.api.problems import conflict
from config.lib.api.schema import operation
from config.lib.api.serializers import StrictSerializer, TextField, TimestampField
from conversations import staff_reply
from conversations.api.conversations import OVER_ALREADY, ConversationView, refuse_the_past
from conversations.api.message_serializers import EXAMPLE, TAG, WINDOW_CLOSED, MessageSerializer, get_message
from conversations.service_window import WindowClosedError
from conversations.staff_reply import ChannelGoneError, ConversationClosedError

# Channels take it in parts: three on WhatsApp, ten or more on Instagram.
LONGEST_TEXT = 10_000
_STAFF = {
    **EXAMPLE,
    "author": "staff",
    "actor": "key:9f2c41ab",
    "status": "pending",
    "tokens_used": 0,
    "turn_id": None,
}
_CLOSED = (
    "conversation_closed",
    "The conversation is closed. Reply in the customer's newest one, which is in `conversation_id`.",
)
_GONE = ("channel_gone", "The number was deleted, or the service cannot send on its channel.")


class ReplyInput(StrictSerializer):
    """What a member of staff says."""

    text = TextField(max_length=LONGEST_TEXT, help_text="Sent in parts if the channel accepts less at once.")
    pause_until = TimestampField(
        required=False,
        help_text="When the pause of the AI ends; default: at least `TAKEOVER_PAUSE` from now.",
    )


class RepliesView(ConversationView):
    """What staff says in a conversation."""

    @operation(
        summary="Answer as a member of staff",
        description="Sends a message and pauses the AI. A reply of the AI in progress is discarded. It "
        "costs no credits. Send an Idempotency-Key, so that repeating the request does not "
        "send the message twice.",
        tag=TAG,
        operation_id="send_message",
        request=ReplyInput,
        responses={201: MessageSerializer},
        errors={409: [_CLOSED, WINDOW_CLOSED, _GONE], 422: [OVER_ALREADY]},
        request_example={"text": "Yes, we are open until six."},
        response_example=_STAFF,
    )
    def post(self, _request: Request, user_id: str, conversation_id: str) -> Response:
        """Send one."""
        self.require_conversation(conversation_id)
        data = self.read_body(ReplyInput)
        refuse_the_past(data, "pause_until")
        try:
            message = staff_reply.send(conversation_id=conversation_id, actor=self.caller.actor, **data)
        except ConversationClosedError as error:
            raise conflict(*_CLOSED, conversation_id=error.active_id) from error
        except WindowClosedError as error:
            raise conflict(*WINDOW_CLOSED) from error
        except ChannelGoneError as error:
            raise conflict(*_GONE) from error
        data = MessageSerializer(get_message(user_id, message.pk)).data
        return Response(
            data,
            status=HTTPStatus.CREATED,
            headers={"Location": f"/users/{user_id}/messages/{message.pk}"},
        )
