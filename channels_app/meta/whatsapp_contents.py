"""
What was said, by kind: in words, with the files that came along.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pydantic import model_validator

from channels_app.meta import whatsapp_cards, whatsapp_choices
from channels_app.meta.schemas import Maybe, MessageId, Shape, present, unshowable
from channels_app.meta.types import Media
from channels_app.meta.whatsapp_schemas import ContentHeader


@dataclass(frozen=True, slots=True)
class Content:
    """The part of a message that depends on its kind, in the words of `types.Inbound`."""

    kind: str
    text: str = ""
    media: tuple[Media, ...] = ()
    context: str = ""


class Text(Shape):
    """A text message."""

    body: str


class File(Shape):
    """A picture, video, sound, document or sticker."""

    id: Maybe[MessageId] = None
    url: Maybe[str] = None
    mime_type: Maybe[str] = None
    filename: Maybe[str] = None
    caption: Maybe[str] = None
    voice: Maybe[bool] = None

    @model_validator(mode="after")
    def _can_be_fetched(self) -> "File":
        if not (self.id or self.url):
            raise ValueError("neither id nor url")
        return self


def read(header: ContentHeader, item: dict[str, object]) -> Content:
    """
    Read what `item` holds under the name of its type.

    :raises ValueError: if that does not fit the type
    """
    reader = _READERS.get(header.kind)
    if reader is None or (header.errors and item.get(header.kind) is None):
        return _unreadable(header)
    return reader(item.get(header.kind))


def _unreadable(header: ContentHeader) -> Content:
    errors = present(header.errors)
    kind = "unsupported" if errors or header.kind == "unsupported" else "unknown"
    subtype = header.unsupported.type if header.unsupported else None
    why = subtype or (errors[0].explanation if errors else "") or header.kind
    return Content(kind, context=unshowable(why))


def _text(value: object) -> Content:
    return Content("text", Text.model_validate(value).body)


def _file(kind: str, value: object) -> Content:
    file = File.model_validate(value)
    if kind == "audio" and file.voice:
        kind = "voice"
    media = Media(
        kind=kind,
        media_id=file.id or "",
        url=file.url or "",
        mime_type=(file.mime_type or "")[:255],
        filename=(file.filename or "")[:255],
    )
    return Content(kind, file.caption or "", media=(media,))


def _location(value: object) -> Content:
    return Content("location", whatsapp_cards.location(value))


def _contacts(value: object) -> Content:
    return Content("contacts", whatsapp_cards.contacts(value))


def _order(value: object) -> Content:
    return Content("order", whatsapp_cards.order(value))


def _button(value: object) -> Content:
    return Content("choice", whatsapp_choices.button(value))


def _interactive(value: object) -> Content:
    interactive = whatsapp_choices.Interactive.model_validate(value)
    if choice := interactive.button_reply or interactive.list_reply:
        return Content("choice", choice.words)
    if interactive.nfm_reply:
        return Content("form", interactive.nfm_reply.words)
    return Content("unknown", context=unshowable(f"interactive {interactive.type or ''}".strip()))


_READERS: dict[str, Callable[[object], Content]] = {
    "text": _text,
    **{kind: partial(_file, kind) for kind in ("image", "video", "audio", "document", "sticker")},
    "location": _location,
    "contacts": _contacts,
    "order": _order,
    "button": _button,
    "interactive": _interactive,
}
