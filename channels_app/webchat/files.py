"""Pictures that visitors send: kept under names of our own, given back to whoever sent them alone."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from channels_app.models import UnsentPicture

MOST_BYTES = 5 * 1024 * 1024
# So long a picture waits for the message it belongs to: the line may be bad. The widget sends one that was
# deleted again.
UNSENT_FOR = timedelta(hours=6)
# A picture is what its first bytes say. None of these can hold a script that a browser would run.
_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp"),
)
TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_FILE_ID = re.compile(r"([0-9a-f]{16})[0-9a-f]{32}-(png|jpg|gif|webp)")


class NoPictureError(ValueError):
    """It is none of the pictures that are taken."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A kept picture: its id, where it lies in the storage, and its type."""

    file_id: str
    name: str
    mime_type: str


def store(content: bytes, *, phone_number_id: str, visitor_id: str) -> Picture:
    """
    Keep a visitor's picture.

    :raises NoPictureError: if it is none, whatever it was said to be
    """
    kind = next((kind for signature, kind in _SIGNATURES if signature.match(content)), None)
    if kind is None or len(content) > MOST_BYTES:
        raise NoPictureError("A picture must be a PNG, JPEG, GIF or WebP of up to 5 MB.")
    owner = _owner(phone_number_id, visitor_id)
    picture = _picture(f"{owner}{secrets.token_hex(16)}-{kind}", phone_number_id, kind)
    UnsentPicture.objects.create(name=picture.name)
    default_storage.save(picture.name, ContentFile(content))
    return picture


def find(file_id: str, *, phone_number_id: str) -> Picture | None:
    """Return the digest behind a picture's id on a number, whoever sent it; None if the id is invalid."""
    match = _FILE_ID.fullmatch(file_id)
    return _picture(file_id, phone_number_id, match.group(2)) if match else None


def is_of(picture: Picture, *, phone_number_id: str, visitor_id: str) -> bool:
    """Return whether a visitor sent it under their present id."""
    return picture.file_id.startswith(_owner(phone_number_id, visitor_id))


def keep(picture: Picture) -> bool:
    """Keep a picture for good, since it is sent with a message; False if it is not there."""
    UnsentPicture.objects.filter(pk=picture.name).delete()
    return bool(default_storage.exists(picture.name))


def purge(*, now: datetime) -> int:
    """Delete the pictures that were not sent with a message in time, and say how many."""
    deleted = 0
    while _purge_one(before=now - UNSENT_FOR):
        deleted += 1
    return deleted


@transaction.atomic
def _purge_one(*, before: datetime) -> bool:
    # Under a lock until the file is gone: nobody can send it meanwhile.
    old = UnsentPicture.objects.select_for_update(skip_locked=True).filter(received_at__lt=before)
    picture = old.order_by("received_at").first()
    if picture is None:
        return False
    default_storage.delete(picture.name)
    picture.delete()
    return True


def read(picture: Picture) -> bytes:
    """
    Return a picture's bytes.

    :raises FileNotFoundError: if it is gone
    """
    with default_storage.open(picture.name) as file:
        content: bytes = file.read()
    return content


def file_id_of(name: str) -> str:
    """Return the id of the stored picture."""
    stem, _, kind = name.rpartition("/")[2].rpartition(".")
    return f"{stem}-{kind}"


def _picture(file_id: str, phone_number_id: str, kind: str) -> Picture:
    return Picture(file_id, f"{phone_number_id}/{file_id.rpartition('-')[0]}.{kind}", TYPES[kind])


def _owner(phone_number_id: str, visitor_id: str) -> str:
    return hashlib.sha256(f"{phone_number_id}:{visitor_id}".encode()).hexdigest()[:16]
