"""Fetches what came with a turn's messages: pictures to be looked at, voice notes to be written down."""

import time
from typing import Any

import structlog

from agents import llm
from channels_app import media as files
from channels_app.models import PhoneNumber
from config.lib import event_loop, sql, stored_files
from config.lib.crypto import DecryptionError
from config.lib.errors import ForeignError
from conversations import media_files
from conversations.models import Message

log = structlog.get_logger(__name__)

# All files of a turn together may take this long; the turn goes on without what is not there by then.
PATIENCE = 20.0
_FETCHED = {"image", "sticker", "voice", "audio"}
_HEARD = {"voice", "audio"}


def prepare(messages: list[Message], number: PhoneNumber, deadline: float) -> None:
    """Fetch, store and transcribe what is not yet; each file's entry in `media` says how far it got."""
    waiting = [
        (message, index)
        for message in messages
        for index, entry in enumerate(message.media)
        if entry["kind"] in _FETCHED and _is_wanted(entry)
    ]
    if not waiting:
        return
    until = min(deadline, time.monotonic() + PATIENCE)
    # None is held while a foreign API is called.
    sql.release_connection()
    for message, index in waiting:
        entry = message.media[index]
        entry.update(_fetched(entry, number, until))
        # None if the customer took it back meanwhile.
        entry.update(media_files.record(message, index, entry) or {})
        sql.release_connection()


def _is_wanted(entry: dict[str, Any]) -> bool:
    """Check whether a file has still to be fetched, or written down after somebody opened it."""
    if "error" in entry:
        return False
    return "name" not in entry or (entry["kind"] in _HEARD and "transcript" not in entry)


def _fetched(entry: dict[str, Any], number: PhoneNumber, until: float) -> dict[str, Any]:
    """Return what to store beside the reference: the stored file and its words, or what went wrong."""
    found = {name: entry[name] for name in ("name", "mime_type") if entry.get("name")}
    try:
        if not found:
            fetched = media_files.download(entry, number, deadline=until)
            found["name"] = files.store(fetched, name_prefix=number.phone_number_id)
            found["mime_type"] = fetched.mime_type
        if entry["kind"] in _HEARD:
            found["transcript"] = _transcript(found, until)
    except (ForeignError, DecryptionError, OSError) as error:
        log.warning("attachment.not_fetched", kind=entry["kind"], reason=str(error))
        # A voice note that could not be written down can still be heard.
        return {**found, "error": str(error)[:200]}
    return found


def _transcript(found: dict[str, str], until: float) -> str:
    content = stored_files.read(found["name"]) or b""
    return event_loop.run(
        llm.transcribe(content=content, filename=found["name"], mime_type=found["mime_type"], deadline=until)
    )
