"""
Signed links to the files of messages: whoever has one may read that file until the link expires.

A link names the message and not the file's place in the storage, so it is the same for every storage, ends
when the customer takes the message back, and leads to a file that has still to be fetched from the channel.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from conversations import media_files
from conversations.models import Message

# A signature for one purpose fits no other.
_SALT = "conversations.media_links"


class InvalidLinkError(Exception):
    """A link was not signed by us, or has expired."""


class Link(TypedDict):
    """What the API shows of a file beside its entry in `media`; null = there is no file to be read."""

    url: str | None
    expires_at: datetime | None


def with_links(message: Message) -> list[dict[str, Any]]:
    """Return the entries of a message's `media`, each with a link to its file."""
    expires_at = (timezone.now() + timedelta(seconds=settings.MEDIA_LINK_SECONDS)).replace(microsecond=0)
    return [
        {**entry, **_link(message.pk, index, expires_at, is_available=media_files.is_available(entry))}
        for index, entry in enumerate(message.media)
    ]


def check(*, message_id: str, index: int, expires: str, signature: str) -> None:
    """
    Check the signature of a link, then whether it has expired.

    :raises InvalidLinkError: if either is wrong
    """
    try:
        _signer().unsign(f"{_value(message_id, index, expires)}:{signature}")
    except signing.BadSignature as error:
        raise InvalidLinkError from error
    # Signed, so it is a number of ours.
    if datetime.fromtimestamp(int(expires), UTC) <= timezone.now():
        raise InvalidLinkError


def _link(message_id: str, index: int, expires_at: datetime, *, is_available: bool) -> Link:
    if not is_available:
        return Link(url=None, expires_at=None)
    expires = str(int(expires_at.timestamp()))
    path = reverse("media-file", kwargs={"message_id": message_id, "index": index})
    query = urlencode(
        {"expires": expires, "signature": _signer().signature(_value(message_id, index, expires))}
    )
    return Link(url=f"{_base_url()}{path}?{query}", expires_at=expires_at)


def _base_url() -> str:
    """Return where the process `web` is reached from outside."""
    return str(settings.WEBCHAT_WIDGET_URL).rpartition("/")[0]


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)


def _value(message_id: str, index: int, expires: str) -> str:
    return f"{message_id}/{index}/{expires}"
