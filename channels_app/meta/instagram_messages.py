"""
Instagram messages: what customers say, and what our side said.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from typing import Literal

from channels_app.ignored import IgnoredReason
from channels_app.meta import instagram_contents
from channels_app.meta.instagram_contents import Content, Message, Referral
from channels_app.meta.instagram_schemas import Sides
from channels_app.meta.schemas import Maybe, MessageId, Shape, UnfitError
from channels_app.meta.types import Event, Inbound, Person


class Postback(Shape):
    """A button that was pressed."""

    mid: MessageId
    title: Maybe[str] = None
    payload: Maybe[str] = None
    referral: Maybe[Referral] = None


def message(item: dict[str, object], sides: Sides) -> Inbound | Event:
    """
    Read a message: a customer's, our own side's, or one taken back.

    :raises ValueError: if it has no id, or holds what no message should
    """
    parsed = Message.model_validate(item)
    if parsed.is_deleted:
        return _event("revoke", parsed, sides)
    content = instagram_contents.read(parsed)
    if sides.is_ours and not sides.is_self:
        return _event("echo", parsed, sides, data={"kind": content.kind, "text": content.text})
    quoted = parsed.reply_to.mid if parsed.reply_to else None
    return _inbound(parsed.mid, content, sides, quoted_id=quoted or "")


def postback(item: dict[str, object], sides: Sides) -> Inbound:
    """
    Read the press of a button.

    :raises ValueError: if it has no id, or nothing stood on the button
    """
    parsed = Postback.model_validate(item)
    text = parsed.title or parsed.payload
    if not text:
        raise UnfitError("postback without title")
    return _inbound(
        parsed.mid, Content("choice", text, context=instagram_contents.referral_words(parsed.referral)), sides
    )


def _inbound(mid: str, content: Content, sides: Sides, *, quoted_id: str = "") -> Inbound:
    is_empty = content.kind == "text" and not content.text.strip()
    return Inbound(
        phone_number_id=sides.phone_number_id,
        provider_message_id=mid,
        # Our own account is no customer of ours.
        person=Person() if sides.is_ours or not sides.person else sides.person,
        kind=content.kind,
        text=content.text,
        payload=sides.payload,
        sent_at=sides.at,
        media=content.media,
        quoted_id=quoted_id,
        context=content.context,
        ignored=_why_ignored(sides, is_empty=is_empty),
    )


def _why_ignored(sides: Sides, *, is_empty: bool) -> IgnoredReason | Literal[""]:
    if sides.is_ours:
        return IgnoredReason.FROM_OURSELVES
    return IgnoredReason.EMPTY_TEXT if is_empty else ""


def _event(kind: str, parsed: Message, sides: Sides, *, data: dict[str, object] | None = None) -> Event:
    return Event(
        phone_number_id=sides.phone_number_id,
        kind=kind,
        key=parsed.mid,
        payload=sides.payload,
        occurred_at=sides.at,
        provider_message_id=parsed.mid,
        person=sides.person,
        data=data or {},
    )
