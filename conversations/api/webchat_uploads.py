"""Checks a visitor's upload before its body is read (page, session, limits), and counts its bytes after."""

from collections.abc import Mapping

from django.utils import timezone

from channels_app.models import WebChat
from channels_app.webchat import chats, limits, sessions
from channels_app.webchat.files import MOST_BYTES
from channels_app.webchat.sessions import SessionInvalidError, Visitor
from config.lib import access_log
from config.lib.api.problems import ProblemError, not_found
from conversations.api.webchat_access import (
    allowed_origin,
    session_invalid,
    shared_with,
    token_of,
    with_limits,
)
from conversations.visitor_messages import has_reply as has_reply_to

# In `request.META` of an upload that was checked and counted here. No client can set it.
ADMITTED = "webchat.upload_admitted"


def admit_upload(*, phone_number_id: str, headers: Mapping[str, str], address: str) -> dict[str, str]:
    """
    Check and count an upload; return the headers with which the page may read the response.

    :param headers: by lower-case name
    :param address: the client's rate-limit key (the /64 network of an IPv6 address)
    :raises ProblemError: as the view would answer it
    """
    chat = chats.known(phone_number_id)
    if chat is None:
        raise not_found("phone_number_id")
    access_log.note(phone_number_id=chat.pk, user_id=chat.phone_number.user_id)
    origin = allowed_origin(
        chat, method="POST", origin=headers.get("origin"), site=headers.get("sec-fetch-site")
    )
    shared = {"Vary": "Origin"} | shared_with(origin)
    try:
        if chat.phone_number.deleted_at is not None:
            raise not_found("phone_number_id")
        token = token_of(headers.get("authorization", ""))
        visitor = sessions.read(token, chat=chat, now=timezone.now())
        check_upload(
            chat, visitor, address=address, content_length=announced_bytes(headers.get("content-length"))
        )
    except SessionInvalidError as error:
        problem = session_invalid()
        problem.headers |= shared
        raise problem from error
    except ProblemError as problem:
        problem.headers |= shared
        raise
    return shared


def announced_bytes(content_length: str | None) -> int | None:
    """Return the value of a Content-Length header; None if there is none, or no number."""
    value = content_length or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None


def check_upload(chat: WebChat, visitor: Visitor, *, address: str, content_length: int | None) -> None:
    """
    Count an upload that is about to be read, and check that its bytes fit into the day's limits.

    :param address: the client's rate-limit key (the /64 network of an IPv6 address)
    :param content_length: as announced; None where the client announced none
    :raises ProblemError: 429 if it is too much
    """
    size_bytes = MOST_BYTES if content_length is None else min(content_length, MOST_BYTES)
    has_reply = not visitor.is_anonymous or has_reply_to(
        phone_number_id=chat.phone_number_id, visitor_id=visitor.visitor_id
    )
    with_limits(
        lambda: limits.count_file(
            chat, visitor_id=visitor.visitor_id, address=address, size_bytes=size_bytes, has_reply=has_reply
        )
    )


def count_bytes(chat: WebChat, *, address: str, size_bytes: int) -> None:
    """
    Count the bytes of a picture that was read.

    :raises ProblemError: 429 if they are more than the day's; the picture is not to be stored
    """
    with_limits(lambda: limits.count_file_bytes(chat, address=address, size_bytes=size_bytes))
