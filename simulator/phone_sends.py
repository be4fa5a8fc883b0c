"""Shows on the phone what the business does through the Graph API: it writes, types, reads and reacts."""

from typing import Any

from simulator.exchange import Json
from simulator.phone_chats import Chat, Chats, Message


def whatsapp_sent(chats: Chats, payload: Json, *, number: str, customer: str, message_id: str) -> None:
    """Show a message the business sent, or its reaction to one."""
    kind = payload.get("type", "text")
    content = payload.get(kind)
    if kind == "reaction" and isinstance(content, dict):
        chats.react(str(content.get("message_id")), "business", content.get("emoji") or "")
        return
    message = Message(
        id=message_id,
        side="business",
        kind=kind,
        text=_text(content),
        content=content if kind != "text" else None,
        reply_to=(payload.get("context") or {}).get("message_id") or "",
        state="accepted",
    )
    chats.add(chats.business_chat("whatsapp", number, customer), message)


def whatsapp_seen(chats: Chats, payload: Json) -> None:
    """Show that the business read a message and all before it, and that it types if it says so."""
    chats.read_until(payload["message_id"], {"customer"})
    chat = chats.chat_of(payload["message_id"])
    if chat and payload.get("typing_indicator"):
        chats.type(chat)


def instagram_sent(chats: Chats, message: Json, *, number: str, customer: str, message_id: str) -> None:
    """Show a message the business sent."""
    attachment = message.get("attachment") or {}
    quick_replies = message.get("quick_replies")
    bubble = Message(
        id=message_id,
        side="business",
        kind=attachment.get("type") or ("quick_replies" if quick_replies else "text"),
        text=message.get("text") or "",
        content=attachment.get("payload") or quick_replies,
        state="accepted",
    )
    chats.add(chats.business_chat("instagram", number, customer), bubble)


def instagram_action(chats: Chats, payload: Json, *, number: str, customer: str) -> None:
    """Show that the business types, has stopped, has seen the chat, or reacts."""
    chat = chats.business_chat("instagram", number, customer)
    action = payload["sender_action"]
    if action in {"typing_on", "typing_off"}:
        chats.type(chat, is_on=action == "typing_on")
    elif action == "mark_seen":
        _all_seen(chats, chat)
    else:
        about: dict[str, Any] = payload.get("payload") or {}
        emoji = "\u2764\ufe0f" if action == "react" else ""
        chats.react(str(about.get("message_id")), "business", emoji)


def _all_seen(chats: Chats, chat: Chat) -> None:
    if chat.messages:
        chats.read_until(next(reversed(chat.messages)), {"customer"})


def _text(content: object) -> str:
    if not isinstance(content, dict):
        return ""
    body = content.get("body") or content.get("caption") or ""
    return str(body.get("text") or "") if isinstance(body, dict) else str(body)
