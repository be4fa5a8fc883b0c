"""Files of messages in the admin: shown in the conversation, and served to those who may read it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse

from channels_app.media import FileMissingError
from config.lib.errors import UnavailableError
from config.lib.file_response import file_response
from conversations import media_files
from conversations.models import Message

if TYPE_CHECKING:
    from config.admin.pages import Page

_ROUTE = "conversations_conversation_file"
_ELEMENTS = {"image": "img", "sticker": "img", "voice": "audio", "audio": "audio", "video": "video"}
_NAMES = {
    "image": "Picture",
    "sticker": "Sticker",
    "voice": "Voice note",
    "audio": "Audio file",
    "video": "Video",
    "document": "Document",
}
_GONE = "it is no longer available"
_REASONS = {
    "too_large": "it is too large",
    "wrong_type": "its type is not supported",
    "unknown_kind": "its type is not supported",
}


def of_message(message: Message) -> list[dict[str, Any]]:
    """Return what the chat draws each file of a message from; `reason` says why there is none."""
    return [_file(message, index, entry) for index, entry in enumerate(message.media)]


def _file(message: Message, index: int, entry: dict[str, Any]) -> dict[str, Any]:
    kind = str(entry.get("kind", ""))
    file = {
        "label": str(entry.get("filename") or "") or _NAMES.get(kind, "File"),
        "transcript": entry.get("transcript", ""),
    }
    if not media_files.is_available(entry):
        return file | {"reason": _REASONS.get(str(entry.get("missing")), _GONE)}
    arguments = [quote(message.conversation_id), message.pk, index]
    return file | {
        "element": _ELEMENTS.get(kind, "link"),
        "url": reverse(f"admin:{_ROUTE}", args=arguments),
    }


def route(page: "Page") -> URLPattern:
    """Return the address of a file on the page of its conversation."""

    def view(request: HttpRequest, object_id: str, message_id: str, index: int) -> HttpResponseBase:
        if not page.has_view_permission(request):
            raise PermissionDenied
        return _serve(request, unquote(object_id), message_id, index)

    address = "<path:object_id>/files/<slug:message_id>/<int:index>/"
    guarded: Callable[..., HttpResponseBase] = page.admin_site.admin_view(view)
    return path(address, guarded, name=_ROUTE)


def _serve(request: HttpRequest, conversation_id: str, message_id: str, index: int) -> HttpResponseBase:
    message = Message.objects.filter(pk=message_id, conversation_id=conversation_id).first()
    if message is None:
        return _text("Not found. The message has no such file.", HTTPStatus.NOT_FOUND)
    try:
        opened = media_files.open_media(message, index)
    except FileMissingError:
        return _text("The file is no longer available.", HTTPStatus.NOT_FOUND)
    except UnavailableError:
        return _text(
            "The channel cannot provide the file right now. Try again in a minute.",
            HTTPStatus.SERVICE_UNAVAILABLE,
        )
    return file_response(request, opened.file, content_type=opened.content_type, filename=opened.filename)


def _text(text: str, status: HTTPStatus) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
