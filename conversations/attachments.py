"""Fetches what came with a turn's messages: pictures to be looked at, voice notes to be written down."""

import time
from typing import Any

import structlog
from django.core.files.storage import default_storage
from django.db import connection

from agents import llm
from channels_app import media as files
from channels_app.meta.types import Media
from channels_app.models import PhoneNumber
from config.lib.crypto import DecryptionError
from config.lib.errors import ForeignError
from conversations.models import Message

log = structlog.get_logger(__name__)

# All files of a turn together may take this long; the turn goes on without what is not there by then.
PATIENCE = 20.0
_FETCHED = {"image", "sticker", "voice", "audio"}
_HEARD = {"voice", "audio"}


def prepare(messages: list[Message], *, phone_number_id: str, deadline: float) -> None:
    """Fetch, store and write down what is not yet; each file's entry in `media` says how far it got."""
    waiting = [
        (message, entry)
        for message in messages
        for entry in message.media
        if entry["kind"] in _FETCHED and not {"name", "error"} & set(entry)
    ]
    if not waiting:
        return
    number = PhoneNumber.objects.get(pk=phone_number_id)
    until = min(deadline, time.monotonic() + PATIENCE)
    connection.close()
    for message, entry in waiting:
        entry.update(_fetched(entry, number, until))
        Message.objects.filter(pk=message.pk).update(media=message.media)
        connection.close()


def _fetched(entry: dict[str, Any], number: PhoneNumber, until: float) -> dict[str, Any]:
    """Give what to note beside the reference: the stored file and its words, or what went wrong."""
    try:
        fetched = files.fetch(
            Media(**{name: entry.get(name, "") for name in Media.__slots__}),
            access_token=number.get_access_token(),
            api_base_url=number.api_base_url,
            deadline=until,
        )
        found = {
            "name": files.store(fetched, name_prefix=number.phone_number_id),
            "mime_type": fetched.mime_type,
        }
        if entry["kind"] in _HEARD:
            found["transcript"] = _transcript(found, until)
    except (ForeignError, DecryptionError, OSError) as error:
        log.warning("attachment.not_fetched", kind=entry["kind"], reason=str(error))
        return {"error": str(error)[:200]}
    return found


def _transcript(found: dict[str, str], until: float) -> str:
    with default_storage.open(found["name"]) as file:
        return llm.transcribe(
            content=file.read(), filename=found["name"], mime_type=found["mime_type"], deadline=until
        )
