"""What the model sees of a message: its text, and in words or pictures whatever else it is."""

import base64
from typing import Any

import structlog

from config.lib import errors, stored_files
from conversations.input_budget import InputBudget
from conversations.models import Message

log = structlog.get_logger(__name__)

_UNREADABLE = {
    "image": "an image that could not be opened",
    "sticker": "a sticker that could not be opened",
    "voice": "a voice message that could not be understood",
    "audio": "an audio file that could not be understood",
}
_PICTURES = {"image": "an image", "sticker": "a sticker"}
_REFERENCED = {"video": "a video", "document": "a document"}


def content(
    message: Message, *, quoted: str | None, budget: InputBudget, written: str = ""
) -> str | list[dict[str, Any]]:
    """
    Return the content of one input item of the Responses API: text, with its pictures if there are any.

    With the text it answers, if it is `quoted`, and the time it was `written`, if that is not now. What does
    not fit into the `budget` is cut or named in words.
    """
    lines = [f"[Written on {written}]"] if written else []
    if message.context:
        lines.append(f"[{message.context}]")
    if quoted:
        lines.append(f'[In reply to: "{quoted[:500]}"]')
    pictures = []
    for media in message.media:
        picture = _picture(media, budget) if is_stored_picture(media) else _words(media)
        if isinstance(picture, str):
            lines.append(picture)
        else:
            pictures.append(picture)
    if message.text:
        lines.append(message.text)
    if not lines and not pictures:
        lines.append(f"[The customer sent something that cannot be shown here: {message.kind}]")
    text = budget.fitted("\n".join(lines))
    if not pictures:
        return text
    return [{"type": "input_text", "text": text}, *pictures] if text else pictures


def is_stored_picture(media: dict[str, Any]) -> bool:
    """Return whether an entry of `media` is a picture whose file is stored."""
    return "name" in media and media["kind"] in _PICTURES


def _picture(media: dict[str, Any], budget: InputBudget) -> dict[str, Any] | str:
    """Return a picture as a part of the content; in words if it does not fit or cannot be opened."""
    try:
        content = stored_files.read(media["name"], admits=budget.takes_picture)
    except OSError as error:
        log.warning("picture.not_opened", reason=errors.summary(error))
        return f"[The customer sent {_UNREADABLE[media['kind']]}]"
    if content is None:
        return f"[The customer sent {_PICTURES[media['kind']]} that was not shown]"
    url = f"data:{media['mime_type']};base64,{base64.b64encode(content).decode()}"
    return {"type": "input_image", "detail": "auto", "image_url": url}


def words(message: Message) -> str:
    """Return all of a message in words: pictures are named, not shown."""
    sender = "customer" if message.sender == Message.Sender.USER else "business"
    lines = [f"[{message.context}]"] if message.context else []
    lines += [_words(media, sender=sender) for media in message.media]
    if message.text:
        lines.append(message.text)
    if message.reaction:
        lines.append(f"[The customer reacted {message.reaction} to this]")
    return "\n".join(lines) or f"[The {sender} sent something that cannot be shown here: {message.kind}]"


def own_text(message: Message) -> str:
    """Return the author's own text, without context that we or the channel added."""
    spoken = [media.get("transcript") or "" for media in message.media]
    return "\n".join(part for part in (*spoken, message.text) if part)


def reaction(message: Message) -> str:
    """Describe for the model a reaction to a message."""
    return f'[The customer reacted {message.reaction} to: "{message.text[:200]}"]'


def _words(media: dict[str, Any], *, sender: str = "customer") -> str:
    kind = media["kind"]
    if transcript := media.get("transcript"):
        return f"[Voice message, transcribed] {transcript}"
    if kind in _REFERENCED:
        name = f": {media['filename']}" if media.get("filename") else ""
        return f"[The {sender} sent {_REFERENCED[kind]}{name}]"
    if is_stored_picture(media):
        return f"[The {sender} sent {_PICTURES[kind]}]"
    return f"[The {sender} sent {_UNREADABLE.get(kind, 'a file that could not be opened')}]"
