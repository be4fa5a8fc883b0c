"""
What an Instagram customer does other than speak.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from channels_app.meta.instagram_schemas import Sides
from channels_app.meta.schemas import Maybe, MessageId, Shape
from channels_app.meta.types import Event


class Reaction(Shape):
    """An emoji put on a message, or taken off it."""

    mid: MessageId
    action: Maybe[str] = None
    reaction: Maybe[str] = None
    emoji: Maybe[str] = None


class Read(Shape):
    """The message read last."""

    mid: MessageId


class Edit(Shape):
    """A message, said anew."""

    mid: MessageId
    text: str
    num_edit: Maybe[int] = None


def reaction(item: dict[str, object], sides: Sides) -> Event | None:
    """Read a reaction; whoever reacts may do so again, so the time tells one from another."""
    parsed = Reaction.model_validate(item)
    emoji = "" if parsed.action == "unreact" else parsed.emoji or parsed.reaction or ""
    person_id = sides.person.ig_id if sides.person else ""
    key = f"{parsed.mid}:{person_id}:{parsed.action}:{emoji}:{sides.payload.get('timestamp')}"
    return _event("reaction", parsed.mid, key, sides, {"emoji": emoji})


def read(item: dict[str, object], sides: Sides) -> Event | None:
    """Read up to which message of ours the customer has seen."""
    receipt = Read.model_validate(item)
    return _event("read", receipt.mid, receipt.mid, sides, {})


def is_no_edit(item: dict[str, object]) -> bool:
    """Return whether an edit is Meta's report for an unedited message: it has no text, or no sender."""
    content, sender = item.get("message_edit"), item.get("sender")
    has_sender = isinstance(sender, dict) and sender.get("id")
    return not has_sender or (isinstance(content, dict) and content.get("text") is None)


def edit(item: dict[str, object], sides: Sides) -> Event | None:
    """Read what a message says now."""
    parsed = Edit.model_validate(item)
    key = f"{parsed.mid}:{sides.payload.get('timestamp') if parsed.num_edit is None else parsed.num_edit}"
    return _event("edit", parsed.mid, key, sides, {"text": parsed.text})


def _event(kind: str, mid: str, key: str, sides: Sides, data: dict[str, object]) -> Event | None:
    """Make an event of what a customer did; what our own side did is known."""
    if sides.is_ours:
        return None
    return Event(
        phone_number_id=sides.phone_number_id,
        kind=kind,
        key=key,
        payload=sides.payload,
        occurred_at=sides.at,
        provider_message_id=mid,
        person=sides.person,
        data=data,
    )
