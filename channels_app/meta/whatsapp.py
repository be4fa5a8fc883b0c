"""
WhatsApp Cloud API webhooks.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
"""

from datetime import datetime

from pydantic import BaseModel, Field, ValidationError

from channels_app.meta import body
from channels_app.meta.types import Event, Inbound, Parsed, Person


class Profile(BaseModel):
    """How a customer calls themselves."""

    name: str | None = None
    username: str | None = None


class Contact(BaseModel):
    """Who is behind the ids of a message."""

    wa_id: str | None = None
    user_id: str | None = None
    profile: Profile = Profile()


class Text(BaseModel):
    """The body of a text message."""

    body: str


class Message(BaseModel):
    """The part of every message that routes it."""

    id: str = Field(min_length=1, max_length=body.MAX_ID_LENGTH)
    type: str = Field(default="unknown", max_length=30)
    sender: str | None = Field(default=None, alias="from")
    from_user_id: str | None = None
    timestamp: str | int | None = None
    text: Text | None = None
    group_id: str | None = None


class Status(BaseModel):
    """How far a message of ours got."""

    id: str = Field(min_length=1, max_length=body.MAX_ID_LENGTH)
    status: str = Field(max_length=30)
    timestamp: str | int | None = None
    biz_opaque_callback_data: str | None = Field(default=None, max_length=512)


class Metadata(BaseModel):
    """Which of our numbers it is about."""

    phone_number_id: str = Field(min_length=1, max_length=50)


def parse(payload: dict[str, object], *, now: datetime) -> Parsed:
    """Read every entry, change, message and status of a body, each by itself; a bad one costs no other."""
    parsed = Parsed()
    for entry in body.objects(payload, "entry"):
        for change in body.objects(entry, "changes"):
            value = change.get("value")
            if change.get("field") == "messages" and isinstance(value, dict):
                _parse_value(value, parsed, now)
    return parsed


def _parse_value(value: dict[str, object], parsed: Parsed, now: datetime) -> None:
    try:
        phone_number_id = Metadata.model_validate(value.get("metadata")).phone_number_id
    except ValidationError:
        parsed.problems.append("metadata without phone_number_id")
        return
    contacts = _contacts(value)
    for item in body.objects(value, "messages"):
        try:
            parsed.inbound.append(_inbound(phone_number_id, contacts, item, now))
        except ValidationError as error:
            parsed.problems.append(f"message: {_reason(error)}")
    for item in body.objects(value, "statuses"):
        try:
            parsed.events.append(_status(phone_number_id, item, now))
        except ValidationError as error:
            parsed.problems.append(f"status: {_reason(error)}")


def _contacts(value: dict[str, object]) -> dict[str, Contact]:
    """Index contacts by either id; they stand in no fixed order."""
    found: dict[str, Contact] = {}
    for item in body.objects(value, "contacts"):
        try:
            contact = Contact.model_validate(item)
        except ValidationError:
            continue
        found |= {key: contact for key in (contact.wa_id, contact.user_id) if key}
    return found


def _inbound(
    phone_number_id: str, contacts: dict[str, Contact], item: dict[str, object], now: datetime
) -> Inbound:
    message = Message.model_validate(item)
    person = _person(message, contacts)
    return Inbound(
        phone_number_id=phone_number_id,
        provider_message_id=message.id,
        person=person,
        kind=message.type,
        text=message.text.body if message.text else "",
        payload=item,
        sent_at=body.moment(message.timestamp, now=now),
        ignored=_why_ignored(message, person),
    )


def _why_ignored(message: Message, person: Person) -> str:
    if message.group_id:
        return "group message"
    if not (person.wa_id or person.bsuid):
        return "no sender"
    if message.type != "text" or not message.text:
        return f"kind {message.type} is not answered"
    return "" if message.text.body.strip() else "empty text"


def _person(message: Message, contacts: dict[str, Contact]) -> Person:
    wa_id = (message.sender or "").lstrip("+")[:50] or None
    bsuid = message.from_user_id or None
    contact = contacts.get(wa_id or "") or contacts.get(bsuid or "") or Contact()
    return Person(
        wa_id=wa_id,
        bsuid=(bsuid or contact.user_id or "")[:150] or None,
        name=(contact.profile.name or "")[:255],
        username=(contact.profile.username or "").removeprefix("@")[:255],
    )


def _status(phone_number_id: str, item: dict[str, object], now: datetime) -> Event:
    status = Status.model_validate(item)
    return Event(
        phone_number_id=phone_number_id,
        kind="status",
        key=f"{status.id}:{status.status}",
        provider_message_id=status.id,
        callback_data=status.biz_opaque_callback_data or "",
        payload=item,
        occurred_at=body.moment(status.timestamp, now=now),
    )


def _reason(error: ValidationError) -> str:
    """Name the fields at fault, never their contents."""
    return ", ".join(f"{'.'.join(map(str, e['loc']))} {e['type']}" for e in error.errors()[:3])
