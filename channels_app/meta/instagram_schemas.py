"""
What Instagram's messaging items have in common: who told whom, and when.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from channels_app.meta import body
from channels_app.meta.schemas import Maybe, PhoneNumberId, Shape, UnfitError
from channels_app.meta.types import Person

PersonId = Annotated[str, Field(min_length=1, max_length=100)]


class Party(Shape):
    """An account or a person."""

    id: PersonId


class Account(Shape):
    """The account of ours that an entry is about; "0" is what the dashboard's Test button says."""

    id: Maybe[PhoneNumberId] = None


class MessageMark(Shape):
    """Signs on a message that our own account sent it."""

    is_echo: bool | None = None
    is_self: bool | None = None


class Item(Shape):
    """One item of `messaging`."""

    sender: Party
    recipient: Maybe[Party] = None
    timestamp: object = None
    message: MessageMark | None = None


@dataclass(frozen=True, slots=True)
class Sides:
    """Who told whom: our account, the customer, and which of the two it came from."""

    phone_number_id: str
    person: Person | None
    is_ours: bool
    is_self: bool
    at: datetime
    payload: dict[str, object]


def account(entry: dict[str, object]) -> str:
    """Name the account of ours that an entry is about, if it tells."""
    account_id = Account.model_validate(entry).id or ""
    return "" if account_id == "0" else account_id


def sides(payload: dict[str, object], *, account_id: str, now: datetime) -> Sides:
    """
    Return our side and the customer's; both have an id of the same kind.

    :raises ValueError: if there is no sender, or nothing says which account of ours it is about
    """
    item = Item.model_validate(payload)
    mark = item.message or MessageMark()
    sender, recipient = item.sender.id, item.recipient.id if item.recipient else ""
    is_self = bool(mark.is_self) or sender == recipient
    is_ours = bool(mark.is_echo) or is_self or sender == account_id
    ours, theirs = (sender, recipient) if is_ours else (recipient or account_id, sender)
    if not ours or len(ours) > 50:
        raise UnfitError("no account of ours")
    return Sides(
        phone_number_id=ours,
        person=Person(ig_id=theirs) if theirs and not is_self else None,
        is_ours=is_ours,
        is_self=is_self,
        at=body.moment(item.timestamp, now=now),
        payload=payload,
    )
