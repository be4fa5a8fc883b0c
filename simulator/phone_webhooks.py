"""Shows on the phone what the webhooks tell: what customers do, and how far the business's messages got."""

from collections.abc import Iterator
from typing import Any

from simulator.exchange import Json
from simulator.phone_chats import Chats, Message

_FILES = {"image", "video", "audio", "document", "sticker"}
_INSTAGRAM_FILES = {"file": "document"}


def posting(chats: Chats, document: Json) -> None:
    """Show what a webhook is about to tell."""
    for value in _whatsapp_values(document):
        for message in value.get("messages", ()):
            _whatsapp_message(chats, value, message)
        for echo in value.get("message_echoes", ()):
            chat = chats.chat("whatsapp", _number(value), str(echo.get("to") or echo.get("to_user_id")))
            chats.add(chat, _bubble("person", echo))
        for status in value.get("statuses", ()):
            _status(chats, status)
    for event in _instagram_events(document):
        _instagram_event(chats, event)


def posted(chats: Chats, document: Json, *, is_taken: bool, why: str) -> None:
    """Show whether the service took what a webhook told of customers and of people in the app."""
    state, note = ("taken", "") if is_taken else ("refused", f"the webhook did not take it: {why}")
    for value in _whatsapp_values(document):
        for message in (*value.get("messages", ()), *value.get("message_echoes", ())):
            chats.advance(message["id"], state, note)
    for event in _instagram_events(document):
        message_id = event.get("message", {}).get("mid", "")
        message = chats.message(message_id)
        if message and message.side != "business":
            chats.advance(message_id, state, note)


def _whatsapp_values(document: Json) -> Iterator[Json]:
    for entry in document["entry"]:
        for change in entry.get("changes", ()):
            yield change["value"]


def _instagram_events(document: Json) -> Iterator[Json]:
    for entry in document["entry"]:
        yield from entry.get("messaging", ())


def _number(value: Json) -> str:
    return str(value["metadata"]["phone_number_id"])


def _whatsapp_message(chats: Chats, value: Json, message: Json) -> None:
    kind = message["type"]
    content = message.get(kind) or {}
    if kind == "reaction":
        chats.react(content["message_id"], "customer", content.get("emoji", ""))
    elif kind == "edit":
        chats.edit(content["original_message_id"], content["message"]["text"]["body"])
    elif kind == "revoke":
        chats.delete(content["original_message_id"])
    else:
        contact = (value.get("contacts") or [{}])[0]
        customer = str(message.get("from") or message.get("from_user_id"))
        name = contact.get("profile", {}).get("name", "")
        chats.add(chats.chat("whatsapp", _number(value), customer, name=name), _bubble("customer", message))


def _bubble(side: str, message: Json) -> Message:
    kind = message["type"]
    content = message.get(kind)
    text = ""
    if isinstance(content, dict):
        reply = content.get(content.get("type", "")) if kind == "interactive" else None
        text = content.get("body") or content.get("caption") or (reply or {}).get("title") or ""
    return Message(
        id=message["id"],
        side=side,
        kind="voice" if isinstance(content, dict) and content.get("voice") else kind,
        text=text,
        content=content if kind != "text" else None,
        reply_to=message.get("context", {}).get("id") or "",
    )


def _status(chats: Chats, status: Json) -> None:
    errors = status.get("errors") or [{}]
    chats.advance(status["id"], status["status"], str(errors[0].get("title", "")))


def _instagram_event(chats: Chats, event: Json) -> None:
    if "reaction" in event:
        chats.react(event["reaction"]["mid"], "customer", event["reaction"].get("emoji", ""))
    elif "message_edit" in event:
        chats.edit(event["message_edit"]["mid"], event["message_edit"]["text"])
    elif "read" in event:
        chats.read_until(event["read"]["mid"], {"business", "person"})
    elif event.get("message", {}).get("is_deleted"):
        chats.delete(event["message"]["mid"])
    elif "message" in event:
        _instagram_message(chats, event, event["message"])


def _instagram_message(chats: Chats, event: Json, message: Json) -> None:
    sender, recipient = event["sender"]["id"], event["recipient"]["id"]
    if message.get("is_echo"):
        if chats.message(message["mid"]):
            chats.advance(message["mid"], "sent")
        else:
            chats.add(chats.chat("instagram", sender, recipient), _instagram_bubble("person", message))
        return
    chats.add(chats.chat("instagram", recipient, sender), _instagram_bubble("customer", message))


def _instagram_bubble(side: str, message: Json) -> Message:
    attachment: dict[str, Any] = (message.get("attachments") or [{}])[0]
    story = message.get("reply_to", {}).get("story")
    kind = attachment.get("type", "text")
    return Message(
        id=message["mid"],
        side=side,
        kind="story" if story else _INSTAGRAM_FILES.get(kind, kind),
        text=message.get("text", ""),
        content=story or attachment.get("payload"),
        reply_to=message.get("reply_to", {}).get("mid", ""),
    )
