"""
Files that customers send: fetched from Meta, checked, and stored under names of our own.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
"""

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import default_storage

from channels_app.meta.types import Media
from config.lib import outbound, stored_files
from config.lib.errors import RejectedError, UnavailableError

_MB = 1024 * 1024
# What WhatsApp itself takes.
_LIMITS = {
    "image": 5 * _MB,
    "sticker": 5 * _MB,
    "audio": 16 * _MB,
    "voice": 16 * _MB,
    "video": 16 * _MB,
    "document": 100 * _MB,
}
_DESCRIPTION_LIMIT = 64 * 1024
_FAMILIES = {
    "image": ("image/",),
    "sticker": ("image/",),
    "audio": ("audio/",),
    "voice": ("audio/",),
    "video": ("video/",),
    "document": ("application/", "image/", "audio/", "video/"),
}
# A file is what its first bytes say. Nothing here can hold a script that a browser would run.
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"OggS"), "audio/ogg"),
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "audio/mpeg"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "audio/aac"),
    (re.compile(rb"#!AMR"), "audio/amr"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"....ftypM4[AB] ", re.DOTALL), "audio/mp4"),
    (re.compile(rb"....ftyp3g", re.DOTALL), "video/3gpp"),
    (re.compile(rb"....ftyp(iso|mp4|avc1|dash|M4V|MSNV)", re.DOTALL), "video/mp4"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)
_EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/ogg": ".ogg",
    "audio/mpeg": ".mp3",
    "audio/aac": ".aac",
    "audio/amr": ".amr",
    "audio/wav": ".wav",
    "audio/mp4": ".m4a",
    "audio/3gpp": ".3gp",
    "video/3gpp": ".3gp",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
}
# A document of a type that is not known; browsers are never to show one.
OPAQUE = "application/octet-stream"
_EXTENSIONS[OPAQUE] = ".bin"
_TYPES = {extension: mime_type for mime_type, extension in _EXTENSIONS.items()}
_MEDIA_ID = re.compile(r"[\w-]{1,200}", re.ASCII)
_WHATSAPP_HOSTS = (".fbsbx.com", ".facebook.com", ".whatsapp.net")
_INSTAGRAM_HOSTS = (".fbsbx.com", ".cdninstagram.com", ".fbcdn.net")
# Codes of Graph that pass: temporary failures and rate limits.
_PASSING = {1, 2, 4, 17, 613, 80007, 130429, 131000, 131016, 131057, 133004}
# Requests without one have been refused.
_USER_AGENT = "multi-channel-ai-agent"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file; `mime_type` is what its content says, `filename` one of ours, whatever the sender called it."""

    content: bytes
    mime_type: str
    filename: str


class FileMissingError(Exception):
    """The storage has no such file."""


class _GoneError(Exception):
    """The URL has expired."""


def fetch(
    media: Media,
    *,
    access_token: str,
    api_base_url: str,
    deadline: float,
    max_bytes: int = 25 * _MB,
    any_document: bool = False,
) -> Fetched:
    """
    Fetch a file before the `deadline` on `time.monotonic`'s clock.

    With `any_document` a document may be of any type; one that is not known is `OPAQUE`.

    :raises RejectedError: if it is too large, gone, of another kind than told, or lies on a foreign host
    :raises UnavailableError: if it is worth trying again
    """
    if media.kind not in _LIMITS:
        raise RejectedError(f"no file comes as {media.kind}", code="unknown_kind")
    limit = min(_LIMITS[media.kind], max_bytes)
    if media.media_id:
        base_url = api_base_url or settings.WHATSAPP_API_BASE_URL
        content = _from_whatsapp(media.media_id, access_token, base_url.rstrip("/"), limit, deadline)
    else:
        content = _from_instagram(media.url, api_base_url, limit, deadline)
    mime_type = _type_of(content, media.kind, any_document=any_document)
    return Fetched(content, mime_type, f"{media.kind}{_EXTENSIONS[mime_type]}")


def store(fetched: Fetched, *, name_prefix: str) -> str:
    """
    Store a file under a random name below the prefix, and return the whole name.

    :raises StorageError: (config.lib.stored_files) if the storage is away
    """
    name = f"{name_prefix}/{secrets.token_hex(16)}{_EXTENSIONS[fetched.mime_type]}"
    return stored_files.save(name, fetched.content)


def open_stored(name: str) -> "File[bytes]":
    """
    Open a stored file; closing it is the caller's.

    :raises FileMissingError: if the storage does not have it
    """
    try:
        return default_storage.open(name)
    except (FileNotFoundError, IsADirectoryError, SuspiciousFileOperation) as error:
        raise FileMissingError(name) from error


def stored_type(name: str) -> str:
    """Return the content type that a stored file may be served with, by its extension, which we gave it."""
    return _TYPES.get(PurePosixPath(name).suffix, OPAQUE)


def _from_whatsapp(media_id: str, token: str, base_url: str, limit: int, deadline: float) -> bytes:
    if not _MEDIA_ID.fullmatch(media_id):
        raise RejectedError("a media id that is none", code="bad_id")
    headers = {"authorization": f"Bearer {token}", "user-agent": _USER_AGENT}
    # The URL it describes is good for five minutes: after those there is another.
    for _ in range(2):
        description = _described(f"{base_url}/{media_id}", headers, deadline)
        url = str(description.get("url", ""))
        is_ours = _origin(url) == _origin(base_url)
        # Whoever gets the token can write as the business, so it goes to Meta and nowhere else.
        if not (is_ours or _is_on(url, _WHATSAPP_HOSTS)):
            raise RejectedError("a file on a foreign host", code="foreign_host")
        try:
            return _downloaded(url, headers, limit, deadline, is_ours=is_ours)
        except _GoneError:
            continue
    raise RejectedError("the file is gone", code="gone")


def _described(url: str, headers: dict[str, str], deadline: float) -> dict[str, Any]:
    # The base URL is configured, so it may lie in a network of our own: the simulator's does.
    received = _get(url, headers, _DESCRIPTION_LIMIT, deadline, may_be_private=True)
    try:
        description = json.loads(received.content)
    except (ValueError, RecursionError):
        description = None
    error = description.get("error") if isinstance(description, dict) else None
    if isinstance(error, dict):
        code = str(error.get("code", ""))
        if received.status >= 500 or (code.isdigit() and int(code) in _PASSING):
            raise UnavailableError("Graph failed", code=code)
        raise RejectedError("Graph does not give the file", code=code)
    if received.status != 200 or not isinstance(description, dict):
        raise UnavailableError("an unreadable answer", code=str(received.status))
    return description


def _from_instagram(url: str, api_base_url: str, limit: int, deadline: float) -> bytes:
    ours = {_origin(api_base_url or settings.INSTAGRAM_API_BASE_URL), _origin(settings.SIMULATOR_URL)}
    is_ours = not settings.IS_PRODUCTION and _origin(url) in ours
    if not (is_ours or _is_on(url, _INSTAGRAM_HOSTS)):
        raise RejectedError("a file on a foreign host", code="foreign_host")
    try:
        return _downloaded(url, {"user-agent": _USER_AGENT}, limit, deadline, is_ours=is_ours)
    except _GoneError:
        raise RejectedError("the file is gone", code="gone") from None


def _downloaded(url: str, headers: dict[str, str], limit: int, deadline: float, *, is_ours: bool) -> bytes:
    received = _get(url, headers, limit, deadline, may_be_private=is_ours)
    if received.status in {404, 410}:
        raise _GoneError
    if received.status in {408, 425, 429} or received.status >= 500:
        raise UnavailableError("the file's host failed", code=str(received.status))
    # A redirect is not followed: it would lead past the list of hosts.
    if received.status != 200:
        raise RejectedError("the file's host refused", code=str(received.status))
    return received.content


def _get(
    url: str, headers: dict[str, str], max_bytes: int, deadline: float, *, may_be_private: bool
) -> outbound.Received:
    try:
        return outbound.get_bytes(
            url, headers=headers, max_bytes=max_bytes, deadline=deadline, may_be_private=may_be_private
        )
    except outbound.TooLargeError:
        raise RejectedError("larger than is taken", code="too_large") from None
    except outbound.ForbiddenAddressError:
        raise RejectedError("a host in a network of our own", code="foreign_host") from None
    except (outbound.NotSentError, outbound.NoAnswerError) as error:
        raise UnavailableError(str(error), code="no_answer") from error


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return None


def _is_on(url: str, hosts: tuple[str, ...]) -> bool:
    origin = _origin(url)
    if origin is None:
        return False
    scheme, host, port = origin
    return scheme == "https" and port in {None, 443} and (host or "").endswith(hosts)


def _type_of(content: bytes, kind: str, *, any_document: bool) -> str:
    for signature, mime_type in _SIGNATURES:
        if signature.match(content):
            # The same box holds sound alone or with pictures; which, its name does not always tell.
            if kind in {"audio", "voice"} and mime_type in {"video/mp4", "video/3gpp"}:
                mime_type = mime_type.replace("video", "audio")  # noqa: PLW2901 - narrowed, not lost
            if mime_type.startswith(_FAMILIES[kind]):
                return mime_type
    if any_document and kind == "document":
        return OPAQUE
    raise RejectedError("a file of another type than told", code="wrong_type")
