"""The files of messages, by signed links."""

from http import HTTPStatus

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from channels_app.media import FileMissingError
from config.lib import access_log
from config.lib.api.problems import ProblemError, not_found, unavailable
from config.lib.api.schema import operation
from config.lib.errors import UnavailableError
from config.lib.file_response import file_response
from conversations import media_files, media_links
from conversations.api.message_serializers import TAG
from conversations.media_links import InvalidLinkError
from conversations.models import Message

_INVALID = ("link_invalid", "This link is not valid or has expired. Read the message again to get a new one.")


class LinkQuery(serializers.Serializer[object]):
    """What proves a link."""

    expires = serializers.RegexField(
        r"^[0-9]{1,12}$", help_text="When the link expires, in seconds since 1970."
    )
    signature = serializers.RegexField(r"^[A-Za-z0-9_-]{1,100}$", help_text="The signature of the link.")


class MediaView(APIView):
    """A file of a message. The link is the permission, so there is no key."""

    authentication_classes = ()
    permission_classes = ()
    http_method_names = ("get", "head")

    @operation(
        summary="Download a file of a message",
        description="Use the `url` in a message's `media` as it is: it needs no API key, and whoever has "
        "it may read the file until `expires_at`. Pictures, voice notes and videos are shown "
        "or played by a browser; everything else is a download, without a content type of its "
        "own unless it is a PDF. A file that has not been needed yet is fetched from the "
        "channel now, which may take seconds. A `Range` is answered with 206.",
        tag=TAG,
        operation_id="download_media",
        query=LinkQuery,
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        errors={403: [_INVALID]},
        is_public=True,
        response_example="the file's bytes",
        media_type="application/octet-stream",
    )
    def get(self, request: Request, message_id: str, index: int) -> HttpResponseBase:
        """Answer it."""
        token = {name: request.query_params.get(name, "") for name in ("expires", "signature")}
        try:
            media_links.check(message_id=message_id, index=index, **token)
        except InvalidLinkError as error:
            raise ProblemError(HTTPStatus.FORBIDDEN, *_INVALID) from error
        message = Message.objects.filter(pk=message_id).first()
        if message is None:
            raise not_found("index")
        access_log.note(user_id=message.user_id)
        try:
            opened = media_files.open_media(message, index)
        except FileMissingError as error:
            raise not_found("index") from error
        except UnavailableError as error:
            raise unavailable() from error
        return file_response(
            request._request,  # noqa: SLF001  (DRF's documented way to Django's request)
            opened.file,
            content_type=opened.content_type,
            filename=opened.filename,
        )
