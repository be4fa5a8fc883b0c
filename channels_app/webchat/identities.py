"""
Identities of signed-in visitors: a business's server vouches for a user of its own.

It signs a JSON Web Token (https://www.rfc-editor.org/rfc/rfc7519) with HS256 and the chat's secret. The token
holds the user's id (`sub`), perhaps a name, its end (`exp`) and its purpose (`aud`). The signed bytes are
base64url and dots, so they are never a server message, which is a JSON object signed with the same secret.

Before tokens there was a bare HMAC of the user's id. A chat accepts it until its `identity_hashes_until`.
"""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
import structlog
from jwt.exceptions import InvalidSubjectError

from channels_app.models import WebChat

log = structlog.get_logger(__name__)

# Names the purpose and the version of what is signed.
AUDIENCE = "webchat-identity-v2"
# A token that was seen once, on a cached page, must not be good for ever.
LONGEST = timedelta(hours=24)
# How much the clocks of two servers may differ.
LEEWAY = timedelta(seconds=60)
MAX_TOKEN_LENGTH = 4096
MAX_NAME_LENGTH = 100
_USER_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_NOT_A_DATE = 10**11


class IdentityInvalidError(Exception):
    """The business's server did not sign this identity, or signed one with a wrong claim (in the message)."""


class IdentityExpiredError(Exception):
    """The token was good once. The business's server makes a new one."""


class IdentityOutdatedError(Exception):
    """This chat does not accept hashes of user ids any more."""


@dataclass(frozen=True, slots=True)
class User:
    """A user whom the business's server vouched for; `name` is empty where the server signed none."""

    user_id: str
    name: str = ""


def verify(token: str, *, chat: WebChat, now: datetime) -> User:
    """
    Return the user of a signed token.

    :raises IdentityInvalidError: if the chat's secret did not sign it, or a claim is missing or wrong
    :raises IdentityExpiredError: if it has expired
    """
    claims = _signed_claims(token, secret=chat.get_secret())
    _check_expiry(claims["exp"], now=now)
    name = claims.get("name") or ""
    if not isinstance(name, str):
        raise IdentityInvalidError("`name` must be a string.")
    return User(_checked_user_id(claims["sub"]), clean_name(name))


def verify_hash(user_id: str, *, signature: str, chat: WebChat, now: datetime) -> User:
    """
    Return the user of a bare hash, the format before tokens. Only the id was signed, so there is no name.

    :raises IdentityOutdatedError: if the chat does not accept hashes (any more)
    :raises IdentityInvalidError: if the hash was not made from this id with the chat's secret
    """
    if not accepts_hashes(chat, now=now):
        raise IdentityOutdatedError
    secret = chat.get_secret()
    # A signature of a server message must not become an identity: such a message is a JSON object.
    if not secret or user_id.lstrip().startswith("{"):
        raise IdentityInvalidError
    expected = hmac.new(secret.encode(), _checked_user_id(user_id).encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise IdentityInvalidError
    log.warning("webchat.identity_hash_used", phone_number_id=chat.phone_number_id)
    return User(user_id)


def accepts_hashes(chat: WebChat, *, now: datetime) -> bool:
    """Return whether a chat still accepts bare hashes of user ids."""
    return chat.identity_hashes_until is not None and now < chat.identity_hashes_until


def could_be_user_id(raw: bytes) -> bool:
    """Return whether a body could be a user id, so that a hash of that id would be the body's signature."""
    try:
        return bool(_USER_ID.fullmatch(raw.decode()))
    except UnicodeDecodeError:
        return False


def clean_name(name: str) -> str:
    """Return a name on one line, without control and invisible characters, cut to its greatest length."""
    spaced = "".join(" " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in name)
    plain = "".join(char for char in spaced if not unicodedata.category(char).startswith("C"))
    return " ".join(plain.split())[:MAX_NAME_LENGTH].rstrip()


def _signed_claims(token: str, *, secret: str) -> dict[str, Any]:
    if not secret or len(token) > MAX_TOKEN_LENGTH:
        raise IdentityInvalidError
    try:
        return jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            audience=AUDIENCE,
            # Checked below, against the time of the request.
            options={
                "require": ["sub", "aud", "exp"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.MissingRequiredClaimError as error:
        raise IdentityInvalidError(f"`{error.claim}` is missing.") from error
    except jwt.InvalidAudienceError as error:
        raise IdentityInvalidError(f"`aud` must be `{AUDIENCE}`.") from error
    except InvalidSubjectError as error:
        raise IdentityInvalidError("`sub` must be a string.") from error
    # A header of nothing but brackets is nested too deep for the parser.
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise IdentityInvalidError from error


def _check_expiry(expiry: object, *, now: datetime) -> None:
    is_number = isinstance(expiry, int | float) and not isinstance(expiry, bool)
    if not is_number or not 0 <= expiry <= _NOT_A_DATE:  # type: ignore[operator]
        raise IdentityInvalidError("`exp` must be a number of seconds since 1970.")
    remaining = expiry - now.timestamp()  # type: ignore[operator]
    if remaining <= -LEEWAY.total_seconds():
        raise IdentityExpiredError
    if remaining > (LONGEST + LEEWAY).total_seconds():
        raise IdentityInvalidError("`exp` must be at most 24 hours ahead.")


def _checked_user_id(user_id: str) -> str:
    if not _USER_ID.fullmatch(user_id):
        raise IdentityInvalidError("The user's id must have 1 to 200 characters and no control characters.")
    return user_id
