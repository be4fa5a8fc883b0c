"""What a visitor writes and reads."""

from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.ingest import NowhereToKeepError
from channels_app.webchat import files, limits, messages, visitor_ingest
from channels_app.webchat.files import Picture
from channels_app.webchat.messages import VisitorMessage
from config.lib.api.problems import field_error, unavailable, unprocessable
from config.lib.api.schema import operation
from conversations import visitor_history
from conversations.api.webchat_access import ADDRESS_LIMIT, DAILY_LIMIT, TAG, WebChatView, with_limits
from conversations.api.webchat_serializers import (
    ChatPageQuery,
    ChatPageSerializer,
    MessageInput,
    ReadInput,
    TakenSerializer,
)

_CURSOR = "eyJjIjp7ImNudl8wMUtCMlQ3TTNHNVE4UjlTMFQxVjJXM1g0WSI6WzIse31dfSwiaSI6MH0"
_EXAMPLE: dict[str, Any] = {
    "messages": [
        {
            "id": "in_4711",
            "from": "visitor",
            "text": "Do you bake rye bread?",
            "at": "2026-11-24T12:00:00Z",
            "image": None,
            "client_id": "f3b1c8e2a4d5",
            "status": "answered",
        },
        {
            "id": "msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
            "from": "ai",
            "text": "Yes, **every morning**.",
            "at": "2026-11-24T12:00:02Z",
            "image": None,
            "client_id": None,
            "status": "sent",
        },
    ],
    "cursor": _CURSOR,
    "has_more": False,
    "state": {"is_available": True, "is_paused": False},
}
_FILE_UNKNOWN = ("file_unknown", "This visitor has no picture with this `file_id`. Upload it first.")
_NO_CURSOR = field_error(
    "invalid_cursor", "This cursor does not belong to this chat. Leave it out to get the newest messages."
)
_READING = f"Rate limit: {limits.READS_BY_ADDRESS} requests a minute per address."


class ChatMessagesView(WebChatView):
    """A visitor's messages, and those to them."""

    @operation(
        summary="Write a message",
        description="Stores the message before it responds 202. Sending the same `message_id` again does "
        "nothing. The reply comes as for any message.",
        tag=TAG,
        operation_id="send_webchat_message",
        request=MessageInput,
        responses={202: TakenSerializer},
        errors={422: [_FILE_UNKNOWN], 429: [DAILY_LIMIT, ADDRESS_LIMIT]},
        visitors=f"Rate limit: {limits.MESSAGES_BY_VISITOR} messages a minute per visitor, "
        f"{limits.MESSAGES_BY_ADDRESS} per address, {limits.MESSAGES_BY_CHAT} per chat; a day, the chat's "
        "`daily_limit`, of which one address has a tenth.",
        request_example={"message_id": "f3b1c8e2a4d5", "text": "Do you bake rye bread?"},
        response_example={"message_id": "f3b1c8e2a4d5"},
    )
    def post(self, _request: Request, phone_number_id: str) -> Response:
        """Keep it."""
        content = self.read_body(MessageInput)
        who, now = self.visitor, timezone.now()
        with_limits(lambda: limits.count_message(self.chat, visitor_id=who.visitor_id, address=self.address))
        taken = Response({"message_id": content["message_id"]}, status=HTTPStatus.ACCEPTED)
        # It came before they signed in, under the name they had then.
        if who.before and visitor_ingest.is_kept(
            content["message_id"], phone_number_id=phone_number_id, visitor_id=who.before
        ):
            return taken
        picture = self._picture(content["file_id"]) if "file_id" in content else None
        message = VisitorMessage(
            phone_number_id=phone_number_id,
            visitor_id=who.visitor_id,
            name=who.name,
            message_id=content["message_id"],
            text=content["text"],
            sent_at=messages.written_at(content.get("sent_at"), now=now).isoformat(),
            picture=picture.name if picture else "",
            mime_type=picture.mime_type if picture else "",
            external_id=who.user_id,
        )
        try:
            visitor_ingest.take(message, now=now)
        except NowhereToKeepError as error:
            raise unavailable() from error
        return taken

    def _picture(self, file_id: str) -> Picture:
        who = self.visitor
        picture = files.find(file_id, phone_number_id=who.phone_number_id)
        is_theirs = picture is not None and any(
            files.is_of(picture, phone_number_id=who.phone_number_id, visitor_id=name)
            for name in (who.visitor_id, who.before)
            if name
        )
        if picture is None or not is_theirs or not files.keep(picture):
            raise unprocessable(*_FILE_UNKNOWN, field="file_id")
        return picture

    @operation(
        summary="Read a chat",
        description="Returns messages since a cursor, oldest first, or without one the newest. A message "
        "whose status has changed is returned again, with the same `id`. The event stream "
        "sends the same.",
        tag=TAG,
        operation_id="list_webchat_messages",
        query=ChatPageQuery,
        responses={200: ChatPageSerializer},
        visitors=_READING,
        response_example=_EXAMPLE,
    )
    def get(self, _request: Request, phone_number_id: str) -> Response:
        """Return a page."""
        query, row = self.read_query(ChatPageQuery), self.customer_id
        try:
            page = visitor_history.page(customer_id=row, after=query.get("after"), limit=query["limit"])
        except visitor_history.InvalidCursorError as error:
            raise ValidationError({"after": [_NO_CURSOR]}) from error
        state = visitor_history.state(phone_number_id=phone_number_id, customer_id=row)
        return Response(
            {
                "messages": [message.as_json() for message in page.messages],
                "cursor": page.cursor,
                "has_more": page.has_more,
                "state": state.as_json(),
            }
        )


class ReadView(WebChatView):
    """How far a visitor has read."""

    @operation(
        summary="Note what was read",
        description="Marks replies up to the cursor as `read`, for the business as well.",
        tag=TAG,
        operation_id="read_webchat_messages",
        request=ReadInput,
        responses={204: None},
        visitors=_READING,
        request_example={"cursor": _CURSOR},
    )
    def post(self, _request: Request, phone_number_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Note it."""
        with_limits(lambda: limits.count_read(address=self.address))
        try:
            visitor_history.mark_read(
                customer_id=self.customer_id, cursor=self.read_body(ReadInput)["cursor"]
            )
        except visitor_history.InvalidCursorError as error:
            raise ValidationError({"cursor": [_NO_CURSOR]}) from error
        return Response(status=HTTPStatus.NO_CONTENT)
