"""What the model sees of a message: its text, and in words or pictures whatever else it is."""

import base64
from typing import Any

from django.core.files.storage import default_storage

from conversations.models import Message

_UNREADABLE = {
    "image": "an image that could not be opened",
    "sticker": "a sticker that could not be opened",
    "voice": "a voice message that could not be understood",
    "audio": "an audio file that could not be understood",
}
_PICTURES = {"image": "an image", "sticker": "a sticker"}
_REFERENCED = {"video": "a video", "document": "a document"}


def content(message: Message, *, quoted: str | None, written: str = "") -> str | list[dict[str, Any]]:
    """
    Give the content of one input item of the Responses API: text, with its pictures if there are any.

    With the text it answers, if it is `quoted`, and the time it was `written`, if that is not now.
    """
    lines = [f"[Written on {written}]"] if written else []
    if message.context:
        lines.append(f"[{message.context}]")
    if quoted:
        lines.append(f'[In reply to: "{quoted[:500]}"]')
    pictures = []
    for media in message.media:
        if "name" in media and media["kind"] in _PICTURES:
            pictures.append({"type": "input_image", "detail": "auto", "image_url": _data_url(media)})
        else:
            lines.append(_words(media))
    if message.text:
        lines.append(message.text)
    if not lines and not pictures:
        lines.append(f"[The customer sent something that cannot be shown here: {message.kind}]")
    text = "\n".join(lines)
    if not pictures:
        return text
    return [{"type": "input_text", "text": text}, *pictures] if text else pictures


def words(message: Message) -> str:
    """Give all of a message in words, whoever said it: pictures are named, not shown."""
    sender = "customer" if message.sender == Message.Sender.USER else "business"
    lines = [f"[{message.context}]"] if message.context else []
    lines += [_words(media, sender=sender) for media in message.media]
    if message.text:
        lines.append(message.text)
    if message.reaction:
        lines.append(f"[The customer reacted {message.reaction} to this]")
    return "\n".join(lines) or f"[The {sender} sent something that cannot be shown here: {message.kind}]"


def said(message: Message) -> str:
    """Give what somebody wrote or spoke, and nothing that we or others put beside it."""
    spoken = [media.get("transcript") or "" for media in message.media]
    return "\n".join(part for part in (*spoken, message.text) if part)


def reaction(message: Message) -> str:
    """Tell the model of a reaction to something that was said."""
    return f'[The customer reacted {message.reaction} to: "{message.text[:200]}"]'


def _words(media: dict[str, Any], *, sender: str = "customer") -> str:
    kind = media["kind"]
    if transcript := media.get("transcript"):
        return f"[Voice message, transcribed] {transcript}"
    if kind in _REFERENCED:
        name = f": {media['filename']}" if media.get("filename") else ""
        return f"[The {sender} sent {_REFERENCED[kind]}{name}]"
    if "name" in media and kind in _PICTURES:
        return f"[The {sender} sent {_PICTURES[kind]}]"
    return f"[The {sender} sent {_UNREADABLE.get(kind, 'a file that could not be opened')}]"


def _data_url(media: dict[str, Any]) -> str:
    with default_storage.open(media["name"]) as file:
        encoded = base64.b64encode(file.read()).decode()
    return f"data:{media['mime_type']};base64,{encoded}"
