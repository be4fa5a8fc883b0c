"""What comes attached to an Instagram message: files by link, and things shared from the app."""

from dataclasses import dataclass

from channels_app.meta.schemas import Maybe, Shape, unshowable
from channels_app.meta.types import Media

_FILES = {"image": "image", "video": "video", "audio": "audio", "file": "document"}
_SHARES = {
    "share": "something",
    "ig_post": "a post",
    "post": "a post",
    "ig_reel": "a reel",
    "reel": "a reel",
    "ig_story": "a story",
    "story": "a story",
}


class Payload(Shape):
    """Where an attachment is; the links are signed and expire."""

    url: Maybe[str] = None
    title: Maybe[str] = None
    story_media_url: Maybe[str] = None


class Attachment(Shape):
    """One attachment."""

    type: Maybe[str] = None
    payload: Maybe[Payload] = None


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment in the words of `types.Inbound`."""

    kind: str
    text: str = ""
    media: tuple[Media, ...] = ()
    context: str = ""


def read(attachment: Attachment | None) -> Attached:
    """Put an attachment into words; None is one that could not be read."""
    parsed = attachment or Attachment()
    kind = parsed.type or ""
    payload = parsed.payload or Payload()
    if file := _FILES.get(kind):
        return Attached(file, media=(Media(kind=file, url=payload.url),) if payload.url else ())
    if what := _SHARES.get(kind):
        text = payload.title or payload.url or payload.story_media_url or ""
        return Attached("share", text, context=f"The customer shared {what}")
    if kind == "story_mention":
        where = f": {payload.url}" if payload.url else ""
        return Attached("story_mention", context=f"The customer mentioned us in their story{where}")
    return Attached("unsupported", context=unshowable(kind or "attachment"))
