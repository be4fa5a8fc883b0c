"""
A visitor's message, in the form in which it waits in the spool and is read into the inbox.

Checked by whoever takes it from outside; only we write it, so it is trusted where it is read.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from channels_app.meta.types import Inbound, Media, Parsed, Person

MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
MOST_TEXT = 4096
# What was written offline may come late; a clock further off than this is wrong.
_LATEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class VisitorMessage:
    """
    What a visitor wrote; `picture` is where its picture lies in the storage.

    `external_id` is the id under which the business's own server knows the visitor, if it told one.
    """

    phone_number_id: str
    visitor_id: str
    message_id: str
    text: str
    sent_at: str
    name: str = ""
    picture: str = ""
    mime_type: str = ""
    external_id: str = ""

    @property
    def provider_message_id(self) -> str:
        """What it is known by in the inbox: ids are the visitor's own, so another's are others."""
        return provider_message_id(self.visitor_id, self.message_id)


def provider_message_id(visitor_id: str, message_id: str) -> str:
    """Return the provider id of a visitor's message in the inbox."""
    return f"{visitor_id}:{message_id}"


def raw(message: VisitorMessage) -> bytes:
    """Return a message in the form in which it waits."""
    return json.dumps(asdict(message)).encode()


def parse(payload: dict[str, Any], *, now: datetime) -> Parsed:  # noqa: ARG001  (as every channel's)
    """Read what `raw` wrote."""
    message = VisitorMessage(**payload)
    pictures = (
        (Media(kind="image", name=message.picture, mime_type=message.mime_type),) if message.picture else ()
    )
    inbound = Inbound(
        phone_number_id=message.phone_number_id,
        provider_message_id=message.provider_message_id,
        person=Person(
            visitor_id=message.visitor_id, name=message.name, external_id=message.external_id or None
        ),
        kind="image" if pictures else "text",
        text=message.text,
        payload=payload,
        sent_at=datetime.fromisoformat(message.sent_at),
        media=pictures,
    )
    return Parsed(inbound=[inbound])


def written_at(at: datetime | None, *, now: datetime) -> datetime:
    """Return when a message was written: by the visitor's clock if it is plausible, else now."""
    return at if at is not None and now - _LATEST <= at <= now else now


def client_id_of(provider_message_id: str) -> str:
    """Return the id that the visitor's side had given a message."""
    return provider_message_id.rpartition(":")[2]
