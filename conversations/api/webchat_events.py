"""Who may follow a chat: what every view of the web chat asks, for a request that no view serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from channels_app.models import WebChat
from channels_app.webchat import chats, limits, sessions
from channels_app.webchat.sessions import SessionInvalidError, Visitor
from config.lib import access_log
from config.lib.api.problems import ProblemError, not_found
from conversations import visitor_history
from conversations.api.webchat_access import (
    PREFLIGHT,
    allowed_origin,
    session_invalid,
    shared_with,
    token_of,
    with_limits,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request to follow a chat; `headers` have lower-case names."""

    phone_number_id: str
    method: str
    headers: Mapping[str, str]
    address: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """
    Who may follow, their row if they have one, and the headers of the answer; nobody for a preflight.

    They may for as long as the chat's `access_mark` is this one.
    """

    visitor: Visitor | None
    customer_id: str | None = None
    access_mark: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def admit(call: Call) -> Admitted:
    """
    Look whether the page may use the chat, and then who is calling.

    :raises ProblemError: as every view of the web chat does, with the headers for the page to read it
    """
    chat = chats.known(call.phone_number_id)
    if chat is None:
        raise not_found("phone_number_id")
    access_log.note(phone_number_id=chat.pk, user_id=chat.phone_number.user_id)
    origin = allowed_origin(
        chat,
        method=call.method,
        origin=call.headers.get("origin"),
        site=call.headers.get("sec-fetch-site"),
    )
    shared = shared_with(origin)
    if call.method == "OPTIONS":
        return Admitted(None, headers=shared | PREFLIGHT)
    try:
        who = _visitor(chat, call)
    except ProblemError as problem:
        problem.headers |= shared
        raise
    row = visitor_history.customer_id(phone_number_id=who.phone_number_id, visitor_id=who.visitor_id)
    return Admitted(who, row, chat.access_mark, shared)


def _visitor(chat: WebChat, call: Call) -> Visitor:
    if chat.phone_number.deleted_at is not None:
        raise not_found("phone_number_id")
    try:
        who = sessions.read(token_of(call.headers.get("authorization", "")), chat=chat, now=timezone.now())
    except SessionInvalidError as error:
        raise session_invalid() from error
    with_limits(lambda: limits.count_read(address=call.address))
    return who
