"""A conversation as a chat: a hundred messages at a time, the newest at the bottom."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from config.admin.buttons import admin_url
from conversations.admin import files
from conversations.admin.messages import RETRY, SEND_AGAIN
from conversations.models import Conversation, Message

LINES = 100
# Material Symbols, as a chat app would draw them.
_TICKS = {
    "pending": "schedule",
    "sent": "check",
    "delivered": "done_all",
    "read": "done_all",
    "failed": "error",
    "unknown": "help",
}


def newest_lines(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    """Return the newest messages, or those before `?before=<number>`, and a link to the older ones."""
    before_text = request.GET.get("before", "")
    before = (
        int(before_text)
        if before_text.isascii() and before_text.isdigit() and len(before_text) < 10
        else None
    )
    rows = Message.objects.filter(conversation=conversation)
    if before is not None:
        rows = rows.filter(sequence_no__lt=before)
    messages = list(rows.order_by("-sequence_no")[:LINES])[::-1]
    may_retry = RETRY.may(request) and request.user.has_perm("conversations.view_message")
    oldest = messages[0].sequence_no if messages else 0
    return {
        "lines": [_line(message, conversation, may_retry=may_retry) for message in messages],
        "older": f"?before={oldest}" if oldest > 1 else "",
        "newer": admin_url(conversation) if before is not None else "",
    }


def _line(message: Message, conversation: Conversation, *, may_retry: bool) -> dict[str, Any]:
    page: Any = admin.site.get_model_admin(Message)
    is_failed = message.status == Message.Status.FAILED
    is_unknown = message.status == Message.Status.UNKNOWN
    side = "left" if message.sender == Message.Sender.USER else "right"
    return {
        "message": message,
        "side": f"{side} staff-bubble-staff" if message.author == Message.Author.STAFF else side,
        "author": _author(message, conversation),
        "kind": "" if message.kind == "text" else message.kind,
        "files": files.of_message(message),
        "status": message.get_status_display(),
        "tick": "" if side == "left" and not is_failed else _TICKS.get(message.status, "help"),
        "is_failed": is_failed,
        "is_unknown": is_unknown,
        "send_again": SEND_AGAIN.url(page, message) if is_unknown and may_retry else "",
        "retry": RETRY.url(page, message) if is_failed and may_retry else "",
        "page": admin_url(message),
    }


def _author(message: Message, conversation: Conversation) -> str:
    if message.author == Message.Author.CUSTOMER:
        return str(conversation.customer)
    if message.author == Message.Author.STAFF:
        return message.actor.removeprefix("admin:") or "Staff"
    return f"{conversation.agent} (AI)"
