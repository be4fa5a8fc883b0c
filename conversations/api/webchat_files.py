"""Pictures that visitors send."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from channels_app.webchat import files, limits
from channels_app.webchat.files import MOST_BYTES, NoPictureError
from config.lib.api.problems import ProblemError, not_found, unprocessable
from config.lib.api.schema import operation
from conversations import visitor_history
from conversations.api.webchat_access import DAILY_LIMIT, PICTURE_LIMIT, REPLY_AWAITED, TAG, WebChatView
from conversations.api.webchat_serializers import FileSerializer
from conversations.api.webchat_uploads import ADMITTED, announced_bytes, check_upload, count_bytes

_NO_PICTURE = ("not_a_picture", "The content is not a PNG, JPEG, GIF or WebP picture.")
_TOO_LARGE = ("payload_too_large", f"A picture may have at most {MOST_BYTES} bytes.")
_FILE_ID = "0f3a9c1b2d4e5f60718293a4b5c6d7e8f9a0b1c2d3e4f506-png"


class _PictureParser(BaseParser):
    """Takes the bytes as they are, and no more than a picture may have."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002  (DRF's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """
        Read a body.

        :raises ProblemError: if it is too large
        """
        content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, *_TOO_LARGE)
        return content


def _parser_of(kind: str) -> type[BaseParser]:
    return type("PictureParser", (_PictureParser,), {"media_type": kind})


class FilesView(WebChatView):
    """A visitor's pictures."""

    parser_classes = [_parser_of(kind) for kind in files.TYPES.values()]

    @operation(
        summary="Send a picture",
        description="The body is the picture itself: PNG, JPEG, GIF or WebP, up to 5 MB. The content "
        "decides, not the declared type. Send its `file_id` with a message within six hours, "
        "or it is deleted.",
        tag=TAG,
        operation_id="create_webchat_file",
        request={"image/png": OpenApiTypes.BINARY},
        responses={201: FileSerializer},
        errors={422: [_NO_PICTURE], 429: [DAILY_LIMIT, PICTURE_LIMIT, REPLY_AWAITED]},
        visitors=f"Rate limit: {limits.FILES_BY_VISITOR} a minute per visitor, {limits.FILES_BY_ADDRESS} per "
        f"address, {limits.FILES_BY_CHAT} per chat; a day, the chat's `daily_limit` and the limits in bytes. "
        f"Until somebody has replied to an anonymous visitor, {limits.PICTURES_BEFORE_REPLY} a day.",
        request_example="the picture's bytes",
        response_example={"file_id": _FILE_ID},
        media_type="image/png",
    )
    def post(self, request: Request, phone_number_id: str) -> Response:
        """Store a picture."""
        visitor_id = self.visitor.visitor_id
        if not request.META.get(ADMITTED):
            length = announced_bytes(request.META.get("CONTENT_LENGTH"))
            check_upload(self.chat, self.visitor, address=self.address, content_length=length)
        # Without a body there is none of its type either.
        content: Any = request.data or b""
        count_bytes(self.chat, address=self.address, size_bytes=len(content))
        try:
            picture = files.store(content, phone_number_id=phone_number_id, visitor_id=visitor_id)
        except NoPictureError as error:
            raise unprocessable(*_NO_PICTURE) from error
        return Response({"file_id": picture.file_id}, status=HTTPStatus.CREATED)


class FileView(WebChatView):
    """One picture."""

    @operation(
        summary="Get a picture",
        description="Returns the picture to the visitor who sent it, and to nobody else.",
        tag=TAG,
        operation_id="get_webchat_file",
        responses={(200, "image/png"): OpenApiTypes.BINARY},
        visitors=f"Rate limit: {limits.READS_BY_ADDRESS} requests a minute per address.",
        response_example="the picture's bytes",
        media_type="image/png",
    )
    def get(self, _request: Request, phone_number_id: str, file_id: str) -> HttpResponse:
        """Answer it."""
        picture = files.find(file_id, phone_number_id=phone_number_id)
        who = self.visitor.visitor_id
        if picture is None or not (
            files.is_of(picture, phone_number_id=phone_number_id, visitor_id=who)
            or visitor_history.has_sent(customer_id=self.customer_id, name=picture.name)
        ):
            raise not_found("file_id")
        try:
            content = files.read(picture)
        except FileNotFoundError as error:
            raise not_found("file_id") from error
        return HttpResponse(
            content,
            content_type=picture.mime_type,
            headers={
                "Content-Disposition": "attachment",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Cache-Control": "private, max-age=86400",
                # Whoever is next at that screen does not have it from the browser.
                "Vary": "Authorization",
            },
        )
