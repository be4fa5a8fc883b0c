"""
Instagram messaging webhooks: kept, not answered yet.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from datetime import datetime

from pydantic import BaseModel, Field, ValidationError

from channels_app.meta import body
from channels_app.meta.types import Inbound, Parsed, Person


class Party(BaseModel):
    """An account or a person, by id."""

    id: str = Field(min_length=1, max_length=50)


class Message(BaseModel):
    """The part of a message that identifies it."""

    mid: str = Field(min_length=1, max_length=body.MAX_ID_LENGTH)
    text: str = ""
    is_echo: bool = False


class Item(BaseModel):
    """One item of `messaging`."""

    sender: Party
    recipient: Party
    timestamp: int | str | None = None
    message: Message


def parse(payload: dict[str, object], *, now: datetime) -> Parsed:
    """Read the customers' messages of a body, each by itself; a bad one costs no other."""
    parsed = Parsed()
    for entry in body.objects(payload, "entry"):
        for item in body.objects(entry, "messaging"):
            if "message" not in item:
                continue
            try:
                found = Item.model_validate(item)
            except ValidationError:
                parsed.problems.append("messaging item without mid, sender or recipient")
                continue
            if not found.message.is_echo:
                parsed.inbound.append(_inbound(found, item, now))
    return parsed


def _inbound(found: Item, item: dict[str, object], now: datetime) -> Inbound:
    seconds = str(found.timestamp or "")[:10]
    return Inbound(
        phone_number_id=found.recipient.id,
        provider_message_id=found.message.mid,
        person=Person(ig_id=found.sender.id),
        kind="text" if found.message.text else "unknown",
        text=found.message.text,
        payload=item,
        sent_at=body.moment(seconds, now=now),
        ignored="instagram is not answered yet",
    )
