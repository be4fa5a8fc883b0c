"""
What a business's own server tells in its visitors' name, at the webhook's address.

Signed like Meta's webhooks, but with the secret of the web chat it is for: that is good for this chat alone,
and Meta's is good for none.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from billing.models import Credit
from channels_app.meta import body, signature
from channels_app.models import WebChat
from channels_app.webchat import chats, identities, limits, messages, visitor_ingest
from channels_app.webchat.messages import VisitorMessage
from config.lib.crypto import DecryptionError

log = structlog.get_logger(__name__)

# Signed anew for each message, so an old one is a repetition by somebody else.
WINDOW = timedelta(minutes=5)
LARGEST = 64 * 1024
_MARK = b'"platform_type"'
_PHONE = re.compile(r"[A-Za-z0-9+_.@:-]{1,64}")
_FIELDS = {"phone_number_id", "customer_phone", "message_text", "timestamp", "platform_type", "message_id"}


class SignatureRefusedError(Exception):
    """It was not signed with the secret of the chat it names; whether there is such a chat is not told."""


class MalformedError(ValueError):
    """It is signed, but does not fit what is documented, or its time is not now."""


class NoCreditsError(Exception):
    """The business cannot pay for an answer."""


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """A body as it came, and what it says, of which nothing was checked yet."""

    raw: bytes
    fields: dict[str, Any]


def is_marked(raw: bytes) -> bool:
    """Check whether a body may be a server message, without parsing it."""
    return len(raw) <= LARGEST and _MARK in raw


def read(raw: bytes) -> ServerMessage | None:
    """Return a body as a server message; None if it is none."""
    if not is_marked(raw):
        return None
    try:
        fields = body.read(raw)
    except body.UnreadableError:
        return None
    return ServerMessage(raw, fields) if "platform_type" in fields and "object" not in fields else None


def take(message: ServerMessage, *, signature_header: str, now: datetime) -> None:
    """
    Keep a message that a business's server tells, once by its id.

    :raises SignatureRefusedError: if it is not signed with the chat's secret
    :raises MalformedError: if it does not fit, or was not signed within five minutes of now
    :raises NoCreditsError: if the business cannot pay for an answer
    :raises TooManyError: (webchat.limits) if it was too much
    :raises NowhereToKeepError: (channels_app.ingest) if it could not be kept
    """
    chat = _signed_for(message, signature_header)
    _check_purpose(message.raw, chat, now)
    visitor_message = _checked(message.fields, chat, now)
    if visitor_ingest.is_kept(
        visitor_message.message_id,
        phone_number_id=chat.phone_number_id,
        visitor_id=visitor_message.visitor_id,
    ):
        return
    credit = Credit.objects.filter(user_id=chat.phone_number.user_id).first()
    if credit is None or credit.remaining_credits < settings.CREDITS_PER_REPLY:
        raise NoCreditsError
    limits.count_message(chat, visitor_id=visitor_message.visitor_id, address="")
    visitor_ingest.take(visitor_message, now=now)


def _signed_for(message: ServerMessage, header: str) -> WebChat:
    chat = chats.find(str(message.fields.get("phone_number_id", ""))[:50])
    try:
        secrets = [chat.get_secret()] if chat else []
    except DecryptionError:
        secrets = []
    if chat is None or not signature.is_valid(raw=message.raw, header=header, secrets=secrets):
        log.warning("webchat.signature_refused", size=len(message.raw))
        raise SignatureRefusedError
    return chat


def _check_purpose(raw: bytes, chat: WebChat, now: datetime) -> None:
    """
    Check that the signature cannot be the identity hash of a user whose id reads like this body.

    :raises MalformedError: if it can be: the chat accepts such hashes, and a user's id may look like this
    """
    if identities.accepts_hashes(chat, now=now) and identities.could_be_user_id(raw):
        raise MalformedError(
            "While this chat accepts identity hashes, a body of up to 200 characters must end with a line "
            "break."
        )


def _checked(fields: dict[str, Any], chat: WebChat, now: datetime) -> VisitorMessage:
    if unknown := fields.keys() - _FIELDS:
        raise MalformedError(f"Unknown field `{sorted(unknown)[0][:50]}`.")
    if fields["platform_type"] != "webchat":
        raise MalformedError("The `platform_type` must be `webchat`.")
    timestamp = fields.get("timestamp")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise MalformedError("The `timestamp` must be whole seconds since 1970.")
    if abs(int(now.timestamp()) - timestamp) > WINDOW.total_seconds():
        raise MalformedError("The `timestamp` must be within five minutes of now.")
    phone, text, message_id = (
        _text(fields, name) for name in ("customer_phone", "message_text", "message_id")
    )
    if not _PHONE.fullmatch(phone):
        raise MalformedError(
            "The `customer_phone` must be 1 to 64 letters, digits, `+`, `_`, `.`, `@`, `:` or `-`."
        )
    if not messages.MESSAGE_ID.fullmatch(message_id):
        raise MalformedError("The `message_id` must be 8 to 64 letters, digits, `_` or `-`.")
    if not text.strip() or len(text) > messages.MOST_TEXT:
        raise MalformedError(f"The `message_text` must have 1 to {messages.MOST_TEXT} characters.")
    return VisitorMessage(
        phone_number_id=chat.phone_number_id,
        visitor_id=f"srv-{phone}",
        message_id=message_id,
        text=text,
        sent_at=now.isoformat(),
        external_id=phone,
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedError(f"The `{name}` must be a string.")
    return value
