"""
What WhatsApp's messages, statuses and errors have in common, and who is behind the ids in them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
"""

import re
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from channels_app.meta import body
from channels_app.meta.schemas import Maybe, MessageId, PhoneNumberId, Shape, are_texts, present
from channels_app.meta.types import Person


def _without_plus(number: str) -> str:
    return number.removeprefix("+")


WaId = Annotated[str, AfterValidator(_without_plus), Field(max_length=50)]
Bsuid = Annotated[str, Field(max_length=150)]


class Profile(Shape):
    """How a customer calls themselves."""

    name: Maybe[str] = None
    username: Maybe[str] = None


class Contact(Shape):
    """Who is behind the ids of a message."""

    wa_id: Maybe[WaId] = None
    user_id: Maybe[Bsuid] = None
    profile: Maybe[Profile] = None


class Metadata(Shape):
    """Which of our numbers it is about."""

    phone_number_id: PhoneNumberId
    display_phone_number: Maybe[str] = None


class Value(Shape):
    """What every value of the fields we read has beside its items."""

    metadata: Metadata
    contacts: Maybe[list[Maybe[Contact]]] = None


class ErrorDetails(Shape):
    """What went wrong, at length."""

    details: Maybe[str] = None


class Error(Shape):
    """What went wrong, as a number with a name."""

    code: Maybe[int] = None
    title: Maybe[str] = None
    error_data: Maybe[ErrorDetails] = None

    def __str__(self) -> str:
        return f"{self.code}: {self.title}" if self.title else str(self.code)

    @property
    def explanation(self) -> str:
        """The longest words there are for it."""
        return (self.error_data and self.error_data.details) or self.title or str(self.code or "")


class Unsupported(Shape):
    """What kind of thing WhatsApp would not hand over."""

    type: Maybe[str] = None


class ContentHeader(Shape):
    """Something said in a chat; what it is stands under the name of its type."""

    type: Maybe[str] = None
    text: object = None
    errors: Maybe[list[Maybe[Error]]] = None
    unsupported: Maybe[Unsupported] = None

    @property
    def kind(self) -> str:
        """Its type in WhatsApp's words; a text can do without."""
        return self.type or ("text" if isinstance(self.text, dict) else "unknown")


class Message(ContentHeader):
    """What every message says of itself."""

    id: MessageId
    sender: WaId | None = Field(default=None, alias="from")
    from_user_id: Bsuid | None = None
    timestamp: object = None
    # Anything at all here means that it is not between the two of us.
    group_id: object = None


@dataclass(frozen=True, slots=True)
class Source:
    """
    Where items come from: the number they are about, and the contacts told along with them.

    `contacts` has each contact under each of its ids, with names as Meta gave them.
    """

    phone_number_id: str
    own_number: str
    account_id: str
    contacts: dict[str, Person]
    now: datetime

    def person(self, wa_id: str | None, bsuid: str | None) -> Person:
        """Name the person with these ids, from whichever contact has one; they stand in no order."""
        contact = self.contacts.get(wa_id or "") or self.contacts.get(bsuid or "") or _NOBODY
        return Person(
            wa_id=wa_id or contact.wa_id,
            bsuid=bsuid or contact.bsuid,
            name=contact.name[:255],
            username=contact.username.removeprefix("@")[:255],
        )

    def is_own(self, wa_id: str | None) -> bool:
        """Return whether this is our own number."""
        return bool(self.own_number) and _digits(wa_id) == self.own_number

    def moment(self, timestamp: object) -> datetime:
        """Read a time."""
        return body.moment(timestamp, now=self.now)


_NOBODY = Person()


def source(value: object, *, account_id: str, now: datetime) -> Source:
    """
    Read what a change's value says about all of its items.

    :raises ValidationError: if it does not name our number
    """
    phone_number_id, own_number, contacts = _plain(value) or _validated(value)
    return Source(
        phone_number_id=phone_number_id,
        own_number=_digits(own_number),
        account_id=account_id,
        contacts={key: contact for contact in contacts for key in (contact.wa_id, contact.bsuid) if key},
        now=now,
    )


def _validated(value: object) -> tuple[str, str, list[Person]]:
    parsed = Value.model_validate(value)
    contacts = [
        Person(
            wa_id=contact.wa_id or None,
            bsuid=contact.user_id or None,
            name=(contact.profile and contact.profile.name) or "",
            username=(contact.profile and contact.profile.username) or "",
        )
        for contact in present(parsed.contacts)
    ]
    return parsed.metadata.phone_number_id, parsed.metadata.display_phone_number or "", contacts


_METADATA = {"phone_number_id": 50, "display_phone_number": sys.maxsize}
_CONTACT = {"wa_id": 50, "user_id": 150}
_PROFILE = {"name": sys.maxsize, "username": sys.maxsize}


def _plain(value: object) -> tuple[str, str, list[Person]] | None:
    """Return what `_validated` does, for a value of the ordinary form; None for any other."""
    if not isinstance(value, dict):
        return None
    metadata, listed = value.get("metadata"), value.get("contacts") or []
    if not isinstance(metadata, dict) or not are_texts(metadata, _METADATA) or not isinstance(listed, list):
        return None
    contacts = [person for contact in listed if (person := _plain_contact(contact)) is not None]
    phone_number_id, own_number = metadata.get("phone_number_id"), metadata.get("display_phone_number")
    if not phone_number_id or len(contacts) < len(listed):
        return None
    return phone_number_id, own_number or "", contacts


def _plain_contact(contact: object) -> Person | None:
    if not isinstance(contact, dict) or not are_texts(contact, _CONTACT):
        return None
    profile = contact.get("profile") or {}
    if not isinstance(profile, dict) or not are_texts(profile, _PROFILE):
        return None
    wa_id = contact.get("wa_id")
    return Person(
        wa_id=wa_id.removeprefix("+") or None if wa_id else None,
        bsuid=contact.get("user_id") or None,
        name=profile.get("name") or "",
        username=profile.get("username") or "",
    )


def _digits(number: str | None) -> str:
    return re.sub(r"\D", "", number or "")
