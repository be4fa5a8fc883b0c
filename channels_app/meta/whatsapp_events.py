"""
What a WhatsApp customer does other than speak, and what a colleague says from the WhatsApp Business app.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/smb_message_echoes
"""

from typing import Any

from pydantic import AliasChoices, Field, ValidationError

from channels_app.meta import whatsapp_contents
from channels_app.meta.schemas import Maybe, MessageId, Shape, UnfitError
from channels_app.meta.types import Event, Person
from channels_app.meta.whatsapp_schemas import Bsuid, ContentHeader, Message, Source, WaId

# Meta has used both names for a new number, and either for a new device.
IDENTITY_TYPES = {
    "user_changed_number",
    "customer_changed_number",
    "user_changed_user_id",
    "customer_identity_changed",
    "user_identity_changed",
}


class Reaction(Shape):
    """An emoji put on a message, or taken off it."""

    message_id: MessageId
    emoji: str | None = None


class Edit(Shape):
    """A message, said anew."""

    original_message_id: MessageId
    message: dict[str, Any]


class Revoke(Shape):
    """A message taken back."""

    original_message_id: MessageId


class System(Shape):
    """News about a customer's ids."""

    type: Maybe[str] = None
    wa_id: WaId | None = Field(default=None, validation_alias=AliasChoices("wa_id", "new_wa_id"))
    user_id: Bsuid | None = None
    previous_user_id: Bsuid | None = None


class Echo(Message):
    """A message from our side."""

    to: Maybe[WaId] = None
    to_user_id: Maybe[Bsuid] = None


def reaction(message: Message, item: dict[str, object], source: Source) -> Event:
    """Read a reaction; no emoji is one taken back."""
    parsed = Reaction.model_validate(item.get("reaction"))
    return _event(
        "reaction", message, item, source, about=parsed.message_id, data={"emoji": parsed.emoji or ""}
    )


def edit(message: Message, item: dict[str, object], source: Source) -> Event:
    """Read what a message says now."""
    parsed = Edit.model_validate(item.get("edit"))
    text = whatsapp_contents.read(ContentHeader.model_validate(parsed.message), parsed.message).text
    return _event("edit", message, item, source, about=parsed.original_message_id, data={"text": text})


def revoke(message: Message, item: dict[str, object], source: Source) -> Event:
    """Read which message was taken back."""
    parsed = Revoke.model_validate(item.get("revoke"))
    return _event("revoke", message, item, source, about=parsed.original_message_id)


def is_identity(item: dict[str, object]) -> bool:
    """Return whether a message of type system is about ids."""
    system = item.get("system")
    return isinstance(system, dict) and system.get("type") in [*IDENTITY_TYPES]


def identity(message: Message, item: dict[str, object], source: Source) -> Event:
    """Read by which ids a customer was known, and by which they are known now (null: not told)."""
    system = System.model_validate(item.get("system"))
    bsuid = message.from_user_id if message.from_user_id != system.user_id else None
    person = Person(wa_id=message.sender or None, bsuid=system.previous_user_id or bsuid)
    old: dict[str, object] = {"wa_id": person.wa_id, "bsuid": person.bsuid}
    new: dict[str, object] = {"wa_id": system.wa_id or None, "bsuid": system.user_id or None}
    if system.type in {"customer_identity_changed", "user_identity_changed"}:
        person = Person(wa_id=message.sender or None, bsuid=message.from_user_id or None)
        old = new = {"wa_id": person.wa_id, "bsuid": person.bsuid}
    if not person.is_known or not any(new.values()):
        raise UnfitError("identity without old or new id")
    return Event(
        phone_number_id=source.phone_number_id,
        kind="identity",
        key=message.id,
        payload=item,
        occurred_at=source.moment(message.timestamp),
        person=person,
        data={"old": old, "new": new},
    )


def echo(item: dict[str, object], source: Source) -> Event:
    """Read what a colleague wrote to a customer; that somebody did matters even where it cannot be read."""
    message = Echo.model_validate(item)
    person = None if message.group_id else source.person(message.to or None, message.to_user_id or None)
    try:
        content = whatsapp_contents.read(message, item)
    except (ValidationError, UnfitError):
        content = whatsapp_contents.Content("unknown")
    return Event(
        phone_number_id=source.phone_number_id,
        kind="echo",
        key=message.id,
        payload=item,
        occurred_at=source.moment(message.timestamp),
        provider_message_id=message.id,
        person=person if person and person.is_known else None,
        data={"kind": content.kind, "text": content.text},
    )


def _event(
    kind: str,
    message: Message,
    item: dict[str, object],
    source: Source,
    *,
    about: str,
    data: dict[str, object] | None = None,
) -> Event:
    person = source.person(message.sender or None, message.from_user_id or None)
    return Event(
        phone_number_id=source.phone_number_id,
        kind=kind,
        key=message.id,
        payload=item,
        occurred_at=source.moment(message.timestamp),
        provider_message_id=about,
        person=person if person.is_known else None,
        data=data or {},
    )
