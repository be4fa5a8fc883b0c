"""
The checks on messages that are sent.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

import re
from typing import Any

from simulator.exchange import Json
from simulator.graph_errors import plainly_refused, refused

LONGEST_TEXT = 4096
LONGEST_INTERACTIVE_BODY = 1024
LONGEST_SMALL_PRINT = 60
LONGEST_CALLBACK_DATA = 512
MOST_BUTTONS = 3
LONGEST_BUTTON = 20
MOST_ROWS = 10
LONGEST_ROW_TITLE = 24
LONGEST_ROW_DESCRIPTION = 72
MOST_INSTAGRAM_BYTES = 1000
PHONE = re.compile(r"\+?[0-9]{5,20}")
TYPES = (
    "text", "interactive", "image", "audio", "video", "document", "sticker", "location", "contacts",
    "reaction", "template",
)  # fmt: skip
SENDER_ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")
TAGS = (None, "HUMAN_AGENT")
RECIPIENT_TYPES = ("individual", "group")
MISSING, INVALID = 131008, 131009


def check_whatsapp(payload: Json) -> None:
    """
    Check a WhatsApp message or read receipt.

    :raises RefusalError: if the API would refuse it
    """
    if payload.get("status") is not None:
        _check_read(payload)
        return
    _check_recipient(payload)
    kind = payload.get("type", "text")
    if kind not in TYPES:
        raise refused(100, f'Param type must be one of {{{", ".join(sorted(TYPES))}}} - got "{kind}".')
    content = payload.get(kind)
    if content is None:
        raise refused(MISSING, f"Parameter '{kind}' is mandatory for type '{kind}'")
    if not isinstance(content, dict | list):
        raise refused(INVALID, f"Parameter '{kind}' must be an object.")
    context = payload.get("context")
    if context is not None and not isinstance(_at(context, "message_id"), str):
        raise refused(MISSING, "Parameter 'context.message_id' is missing.")
    _check_length("biz_opaque_callback_data", payload.get("biz_opaque_callback_data"), LONGEST_CALLBACK_DATA)
    if kind == "text":
        _check_text("text['body']", _at(content, "body"), LONGEST_TEXT)
    if kind == "interactive":
        _check_interactive(content)


def check_instagram(payload: Json) -> None:
    """
    Check an Instagram message or sender action.

    :raises RefusalError: if the API would refuse it
    """
    recipient = _at(payload.get("recipient"), "id") or _at(payload.get("recipient"), "comment_id")
    if not isinstance(recipient, str) or not recipient:
        raise plainly_refused("(#100) The parameter recipient is required")
    if payload.get("tag") not in TAGS:
        raise plainly_refused("(#100) Invalid parameter: message tag is not supported")
    action = payload.get("sender_action")
    if action is not None:
        if action not in SENDER_ACTIONS:
            raise plainly_refused("(#100) Param sender_action must be one of the allowed values")
        return
    message = payload.get("message")
    text, attachment = _at(message, "text"), _at(message, "attachment") or _at(message, "attachments")
    if attachment is None and (not isinstance(text, str) or not text):
        raise plainly_refused("(#100) The parameter message is required: provide text or attachment")
    if isinstance(text, str) and len(text.encode(errors="surrogatepass")) > MOST_INSTAGRAM_BYTES:
        raise plainly_refused(
            f"(#100) Length of param message[text] must be less than or equal to {MOST_INSTAGRAM_BYTES}",
            subcode=2018109,
        )


def _check_read(payload: Json) -> None:
    if payload["status"] != "read":
        raise refused(INVALID, "Parameter 'status' must be 'read'.")
    if not isinstance(payload.get("message_id"), str) or not payload["message_id"]:
        raise refused(MISSING, "Parameter 'message_id' is mandatory for status 'read'")
    typing = payload.get("typing_indicator")
    if typing is not None and _at(typing, "type") != "text":
        raise refused(INVALID, "Parameter 'typing_indicator.type' must be 'text'.")


def _check_recipient(payload: Json) -> None:
    to, recipient = payload.get("to"), payload.get("recipient")
    if to is None and recipient is None:
        raise plainly_refused("(#100) The parameter to is required.")
    if to is not None and (not isinstance(to, str) or not PHONE.fullmatch(re.sub(r"[ ()\-]", "", to))):
        raise refused(INVALID, "Parameter 'to' is not a valid phone number.")
    if to is None and (not isinstance(recipient, str) or "." not in recipient):
        raise refused(INVALID, "Parameter 'recipient' is not a valid business-scoped user id.")
    if payload.get("recipient_type", "individual") not in RECIPIENT_TYPES:
        raise refused(100, "Param recipient_type must be one of {individual, group}.")


def _check_interactive(content: Any) -> None:
    kind, action = _at(content, "type"), _at(content, "action")
    if not isinstance(action, dict):
        raise refused(MISSING, "Parameter 'interactive.action' is missing.")
    longest = LONGEST_TEXT if kind == "list" else LONGEST_INTERACTIVE_BODY
    _check_text("interactive['body']['text']", _at(_at(content, "body"), "text"), longest)
    _check_length("interactive['footer']['text']", _at(_at(content, "footer"), "text"), LONGEST_SMALL_PRINT)
    if kind == "button":
        buttons = action.get("buttons")
        _check_count("interactive['action']['buttons']", buttons, MOST_BUTTONS)
        for button in buttons or ():
            _check_text("button title", _at(_at(button, "reply"), "title"), LONGEST_BUTTON)
    elif kind == "list":
        _check_text("interactive['action']['button']", action.get("button"), LONGEST_BUTTON)
        rows = [row for section in action.get("sections") or () for row in _at(section, "rows") or ()]
        _check_count("rows", rows, MOST_ROWS)
        for row in rows:
            _check_text("row title", _at(row, "title"), LONGEST_ROW_TITLE)
            _check_length("row description", _at(row, "description"), LONGEST_ROW_DESCRIPTION)


def _check_text(name: str, text: object, longest: int) -> None:
    if not isinstance(text, str) or not text:
        raise refused(MISSING, f"Parameter {name} is missing or empty.")
    _check_length(name, text, longest)


def _check_length(name: str, text: object, longest: int) -> None:
    if isinstance(text, str) and len(text) > longest:
        raise plainly_refused(f"(#100) Param {name} must be at most {longest} characters long.")


def _check_count(name: str, things: object, most: int) -> None:
    if not isinstance(things, list) or not 1 <= len(things) <= most:
        raise refused(INVALID, f"Parameter {name} must have 1 to {most} elements.")


def _at(container: object, key: str) -> Any:
    return container.get(key) if isinstance(container, dict) else None
