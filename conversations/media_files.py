"""
The files of a message, opened for a person: from the storage, or fetched from the channel when first wanted.

A turn fetches what the model needs. Videos, documents and what came while a person answers are fetched here.
Meta has a file for some days only; one that it no longer has is marked as missing.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import structlog
from django.core.files.base import File
from django.db import transaction

from channels_app import media, taken_back
from channels_app.media import Fetched, FileMissingError
from channels_app.meta.types import Media
from channels_app.models import PhoneNumber
from config.lib import sql
from config.lib.crypto import DecryptionError
from config.lib.errors import RejectedError, UnavailableError
from conversations.models import Message

log = structlog.get_logger(__name__)

# Seconds that a file may take to be fetched.
PATIENCE = 15.0
# Files that one process fetches at a time, and seconds that the next one waits: its threads serve the rest.
FETCHES = 4
QUEUE_SECONDS = 5.0
_fetches = threading.BoundedSemaphore(FETCHES)
# Refusals that no new access token changes; 100 is Graph's for an object that does not exist.
_FINAL = frozenset({"gone", "too_large", "wrong_type", "unknown_kind", "bad_id", "foreign_host", "100"})


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An open file, the content type it may be served with, and a name for it."""

    file: "File[bytes]"
    content_type: str
    filename: str


def is_available(entry: dict[str, Any]) -> bool:
    """Check whether an entry of `media` has a file that is stored or can still be fetched."""
    if entry.get("name"):
        return True
    return not entry.get("missing") and bool(entry.get("media_id") or entry.get("url"))


def open_media(message: Message, index: int) -> MediaFile:
    """
    Open a file of a message.

    :raises FileMissingError: if there is none, or no longer
    :raises UnavailableError: if the channel may give it later
    """
    if message.deleted_at or not 0 <= index < len(message.media):
        raise FileMissingError
    entry = message.media[index]
    if not is_available(entry):
        raise FileMissingError
    if not entry.get("name"):
        entry = _fetch(message, index)
    name = entry["name"]
    return MediaFile(media.open_stored(name), media.stored_type(name), _filename(entry))


def download(
    entry: dict[str, Any], number: PhoneNumber, *, deadline: float, any_document: bool = False
) -> Fetched:
    """
    Download the file of an entry of `media` from the number's channel, as `channels_app.media.fetch` does.

    :raises DecryptionError: if the number's access token cannot be read
    :raises RejectedError: if it is gone, too large or of another kind
    :raises UnavailableError: if it is worth trying again
    """
    return media.fetch(
        Media(**{name: entry.get(name, "") for name in Media.__slots__}),
        access_token=number.get_access_token(),
        api_base_url=number.api_base_url,
        deadline=deadline,
        any_document=any_document,
    )


def record(message: Message, index: int, changes: dict[str, str]) -> dict[str, Any] | None:
    """
    Store what was found out about a file of a message; return its entry, None if it was taken back.

    The first stored file stays: another one, stored meanwhile, is deleted.
    """
    with transaction.atomic():
        rows = Message.objects.select_for_update(no_key=True).filter(pk=message.pk, deleted_at=None)
        stored = rows.only("media").first()
        if stored is None:
            taken_back.delete_files([changes["name"]] if "name" in changes else [])
            return None
        entry: dict[str, Any] = stored.media[index]
        if entry.get("name") and changes.get("name", entry["name"]) != entry["name"]:
            taken_back.delete_files([changes["name"]])
            changes = {name: value for name, value in changes.items() if name not in {"name", "mime_type"}}
        entry.update(changes)
        stored.save(update_fields=["media"])
        return entry


def _fetch(message: Message, index: int) -> dict[str, Any]:
    """
    Fetch a file from the channel and store it; return its entry.

    :raises FileMissingError: if the channel does not have it, or the number is gone
    :raises UnavailableError: if it may be fetched later
    """
    reference = message.media[index]
    number = PhoneNumber.objects.get(pk=message.phone_number_id)
    # None is held while a foreign API is called.
    sql.release_connection()
    try:
        with _one_of_few():
            deadline = time.monotonic() + PATIENCE
            fetched = download(reference, number, deadline=deadline, any_document=True)
    except DecryptionError as error:
        raise FileMissingError from error
    except RejectedError as error:
        log.warning("media.not_fetched", kind=reference["kind"], reason=str(error), code=error.code)
        if error.code in _FINAL:
            record(message, index, {"error": str(error)[:200], "missing": error.code})
        raise FileMissingError from error
    changes = {"name": media.store(fetched, name_prefix=number.pk), "mime_type": fetched.mime_type}
    entry = record(message, index, changes)
    if entry is None:
        raise FileMissingError
    return entry


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _fetches.acquire(timeout=QUEUE_SECONDS):
        raise UnavailableError("too many files are being fetched", code="busy")
    try:
        yield
    finally:
        _fetches.release()


def _filename(entry: dict[str, Any]) -> str:
    """Return the customer's name for a file, with our extension where its type is known."""
    extension = PurePosixPath(entry["name"]).suffix
    filename = str(entry.get("filename") or "").replace("\\", "/").rpartition("/")[2]
    filename = "".join(letter for letter in filename if letter.isprintable())[:150].strip(". ")
    if media.stored_type(entry["name"]) == media.OPAQUE:
        return filename or f"{entry['kind']}{extension}"
    return f"{PurePosixPath(filename).stem or entry['kind']}{extension}"
