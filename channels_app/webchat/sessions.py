"""
Who a visitor is: a signed token that names a chat and a visitor of it, good for 30 days.

Whoever the business's own server vouches for (by an HMAC of their user id) is the same visitor wherever they
sign in; everybody else is a new one. Nothing is stored: a visitor has a row once they write.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

from channels_app.models import WebChat

LIFETIME = timedelta(days=30)
_SIGNER = Signer(salt="channels_app.webchat.sessions")
# A name in another script takes six bytes a letter, an emoji twelve, and base64 a third more.
_LONGEST_TOKEN = 2500
_USER_ID = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
MOST_NAME = 100


class SessionInvalidError(Exception):
    """The token was not made here, not for this chat, too long ago, or by a secret that was replaced."""


class IdentityInvalidError(Exception):
    """The business's server did not vouch for this user."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of the business; `hash` is the HMAC-SHA256 of `user_id` with the chat's secret, in hex."""

    user_id: str
    hash: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Whoever a token speaks of; `name` is what the business's server called them, if it did.

    Somebody known has been `before` whoever nobody vouched for, until they signed in.
    """

    phone_number_id: str
    visitor_id: str
    name: str = ""
    before: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody vouched for them."""
        return self.visitor_id.startswith(_ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Session:
    """A token, and whom it speaks of."""

    token: str
    expires_at: datetime
    visitor: Visitor


_ANONYMOUS, _KNOWN = "vis-", "usr-"


def begin(
    chat: WebChat, *, now: datetime, identity: Identity | None = None, earlier: Visitor | None = None
) -> Session:
    """
    Give a token: to whom the identity says, else to whoever the earlier one spoke of, else to somebody new.

    :raises IdentityInvalidError: if the identity is not the business's
    """
    if identity is not None:
        known = _identified(chat, identity)
        visitor = replace(known, before=_before(known, earlier))
    elif earlier is not None and earlier.phone_number_id == chat.phone_number_id:
        visitor = earlier
    else:
        visitor = Visitor(chat.phone_number_id, _ANONYMOUS + secrets.token_urlsafe(18))
    return Session(_token(chat, visitor, now), now + LIFETIME, visitor)


def _before(known: Visitor, earlier: Visitor | None) -> str:
    if earlier is None or earlier.phone_number_id != known.phone_number_id:
        return ""
    if earlier.is_anonymous:
        return earlier.visitor_id
    return earlier.before if earlier.visitor_id == known.visitor_id else ""


def read(token: str, *, chat: WebChat, now: datetime) -> Visitor:
    """
    Say of whom a token speaks.

    :raises SessionInvalidError: if it is not good for this chat now
    """
    if not 0 < len(token) <= _LONGEST_TOKEN:
        raise SessionInvalidError
    try:
        said = _SIGNER.unsign_object(token)
        number, visitor_id, name = str(said["n"]), str(said["v"]), str(said["u"])
        begun_at = datetime.fromtimestamp(int(said["t"]), tz=UTC)
        mark, before = str(said["k"]), str(said.get("b", ""))
    except (BadSignature, ValueError, KeyError, TypeError, OverflowError) as error:
        raise SessionInvalidError from error
    visitor = Visitor(number, visitor_id, name, before)
    is_current = begun_at <= now + timedelta(minutes=5) and now < begun_at + LIFETIME
    # Whoever had stolen the secret could have vouched for anybody: its end is theirs.
    is_vouched_for = visitor.is_anonymous or mark == chat.secret_mark
    if number != chat.phone_number_id or not is_current or not is_vouched_for:
        raise SessionInvalidError
    return visitor


def _token(chat: WebChat, visitor: Visitor, now: datetime) -> str:
    mark = "" if visitor.is_anonymous else chat.secret_mark
    return _SIGNER.sign_object(
        {
            "n": visitor.phone_number_id,
            "v": visitor.visitor_id,
            "u": visitor.name,
            "t": int(now.timestamp()),
            "k": mark,
            "b": visitor.before,
        }
    )


def _identified(chat: WebChat, identity: Identity) -> Visitor:
    secret = chat.get_secret()
    expected = identity_hash(user_id=identity.user_id, secret=secret)
    given = identity.hash.encode("utf-8", "replace")
    if not hmac.compare_digest(expected.encode(), given) or not secret:
        raise IdentityInvalidError
    if not _USER_ID.fullmatch(identity.user_id):
        raise IdentityInvalidError
    return Visitor(
        chat.phone_number_id, known_visitor_id(identity.user_id), identity.name[:MOST_NAME].strip()
    )


def identity_hash(*, user_id: str, secret: str) -> str:
    """Give what a business's server vouches for a user with."""
    return hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()


def known_visitor_id(user_id: str) -> str:
    """Give the visitor id of a business's user, the same wherever they sign in."""
    return _KNOWN + hashlib.sha256(user_id.encode()).hexdigest()[:32]
