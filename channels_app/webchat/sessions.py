"""
Visitors' sessions: a signed token that names a chat and a visitor of it, good for 30 days.

A user whom the business's own server vouches for is the same visitor wherever they sign in; everybody else is
a new one. Nothing is stored: a visitor has a row once they write.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from channels_app.models import WebChat
from channels_app.webchat.identities import User

LIFETIME = timedelta(days=30)
_SIGNER = Signer(salt="channels_app.webchat.sessions")
# Name and user id have 300 characters together. A letter of another script takes six bytes, an emoji twelve,
# and base64 a third more.
_LONGEST_TOKEN = 5500


class SessionInvalidError(Exception):
    """The token was not made here, not for this chat, too long ago, or by a secret that was replaced."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    The visitor whom a token names; `name` is what the business's server signed, if it signed one.

    A signed-in user was `before` an anonymous visitor, until they signed in. `identified_at` (Unix seconds)
    is when the business's server last vouched for them; 0 for an anonymous visitor. `user_id` is the id that
    the business's server signed: empty for an anonymous visitor, and in tokens of earlier versions.
    """

    phone_number_id: str
    visitor_id: str
    name: str = ""
    before: str = ""
    identified_at: int = 0
    user_id: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Return whether the visitor is anonymous."""
        return self.visitor_id.startswith(_ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Session:
    """A token, its end, and the visitor it names."""

    token: str
    expires_at: datetime
    visitor: Visitor


_ANONYMOUS, _KNOWN = "vis-", "usr-"


def begin(
    chat: WebChat, *, now: datetime, user: User | None = None, earlier: Visitor | None = None
) -> Session:
    """
    Issue a token for the identified user, else renew the earlier visitor's, else create an anonymous visitor.

    A signed-in user's session is not extended without their identity: it ends 30 days after they were last
    vouched for.
    """
    if user is not None:
        known = Visitor(
            chat.phone_number_id,
            known_visitor_id(user.user_id),
            user.name,
            identified_at=int(now.timestamp()),
            user_id=user.user_id,
        )
        visitor = replace(known, before=_before(known, earlier))
    elif earlier is not None and earlier.phone_number_id == chat.phone_number_id:
        visitor = earlier
    else:
        visitor = Visitor(chat.phone_number_id, _ANONYMOUS + secrets.token_urlsafe(18))
    return Session(_token(chat, visitor, now), _begun_at(visitor, now) + LIFETIME, visitor)


def _before(known: Visitor, earlier: Visitor | None) -> str:
    if earlier is None or earlier.phone_number_id != known.phone_number_id:
        return ""
    if earlier.is_anonymous:
        return earlier.visitor_id
    return earlier.before if earlier.visitor_id == known.visitor_id else ""


def read(token: str, *, chat: WebChat, now: datetime) -> Visitor:
    """
    Return the visitor whom a token names.

    :raises SessionInvalidError: if it is not good for this chat now
    """
    if not 0 < len(token) <= _LONGEST_TOKEN:
        raise SessionInvalidError
    try:
        claims = _SIGNER.unsign_object(token)
        issued_at = datetime.fromtimestamp(int(claims["t"]), tz=UTC)
        visitor, mark = _visitor(claims), str(claims["k"])
        begun_at = _begun_at(visitor, issued_at)
    except (BadSignature, ValueError, KeyError, TypeError, OverflowError) as error:
        raise SessionInvalidError from error
    is_current = begun_at <= now + timedelta(minutes=5) and now < begun_at + LIFETIME
    # Whoever had stolen the secret could have vouched for anybody: its end is theirs.
    is_vouched_for = visitor.is_anonymous or mark == chat.secret_mark
    if visitor.phone_number_id != chat.phone_number_id or not is_current or not is_vouched_for:
        raise SessionInvalidError
    return visitor


def _visitor(claims: dict[str, object]) -> Visitor:
    number, visitor_id = str(claims["n"]), str(claims["v"])
    # Without `i` the token is older than signed names: its name is the browser's own.
    name = str(claims["u"]) if "i" in claims else ""
    identified_at = int(str(claims.get("i", 0)))
    user_id = str(claims.get("e", ""))
    return Visitor(number, visitor_id, name, str(claims.get("b", "")), identified_at, user_id)


def _begun_at(visitor: Visitor, issued_at: datetime) -> datetime:
    """Return when a session's 30 days began: for a user, when they were last vouched for."""
    return datetime.fromtimestamp(visitor.identified_at, tz=UTC) if visitor.identified_at else issued_at


def _token(chat: WebChat, visitor: Visitor, now: datetime) -> str:
    mark = "" if visitor.is_anonymous else chat.secret_mark
    named = {} if visitor.is_anonymous else {"i": visitor.identified_at, "e": visitor.user_id}
    return _SIGNER.sign_object(
        {
            "n": visitor.phone_number_id,
            "v": visitor.visitor_id,
            "u": visitor.name,
            "t": int(now.timestamp()),
            "k": mark,
            "b": visitor.before,
            **named,
        }
    )


def known_visitor_id(user_id: str) -> str:
    """Return the visitor id of a business's user, the same wherever they sign in."""
    return _KNOWN + hashlib.sha256(user_id.encode()).hexdigest()[:32]


def is_user(visitor_id: str | None) -> bool:
    """Return whether a visitor id is that of a signed-in user."""
    return (visitor_id or "").startswith(_KNOWN)
