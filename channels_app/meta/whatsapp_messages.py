"""
WhatsApp messages from customers.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from collections.abc import Callable
from typing import Literal

from channels_app.ignored import IgnoredReason
from channels_app.meta import whatsapp_contents, whatsapp_events
from channels_app.meta.schemas import Maybe, MessageId, Shape, sentences
from channels_app.meta.types import Event, Inbound, Person
from channels_app.meta.whatsapp_contents import Content
from channels_app.meta.whatsapp_schemas import Message, Source

_EVENTS: dict[str, Callable[[Message, dict[str, object], Source], Event]] = {
    "reaction": whatsapp_events.reaction,
    "edit": whatsapp_events.edit,
    "revoke": whatsapp_events.revoke,
}


class ReferredProduct(Shape):
    """A product of a catalogue that a question is about."""

    catalog_id: Maybe[str] = None
    product_retailer_id: Maybe[str] = None


class Quoted(Shape):
    """What a message refers to, or where it was before."""

    id: Maybe[MessageId] = None
    forwarded: Maybe[bool] = None
    frequently_forwarded: Maybe[bool] = None
    referred_product: Maybe[ReferredProduct] = None


class Welcome(Shape):
    """What a customer was greeted with."""

    text: Maybe[str] = None


class Referral(Shape):
    """The ad or post that a customer came from."""

    source_url: Maybe[str] = None
    source_type: Maybe[str] = None
    headline: Maybe[str] = None
    body: Maybe[str] = None
    ctwa_clid: Maybe[str] = None
    welcome_message: Maybe[Welcome] = None


class Beside(Shape):
    """What a message may come with."""

    context: Maybe[Quoted] = None
    referral: Maybe[Referral] = None


def read(item: dict[str, object], source: Source) -> Inbound | Event:
    """
    Read one of `messages`: what a customer said, or what they did.

    :raises ValueError: if it has no id, or does not hold what its type needs
    """
    message = Message.model_validate(item)
    person = source.person(message.sender or None, message.from_user_id or None)
    ignored = _why_ignored(message, person, source)
    if ignored in {"", IgnoredReason.NO_SENDER}:
        if message.kind == "system":
            if whatsapp_events.is_identity(item):
                return whatsapp_events.identity(message, item, source)
            ignored = IgnoredReason.SYSTEM_MESSAGE
        elif event := _EVENTS.get(message.kind):
            return event(message, item, source)
    content = whatsapp_contents.read(message, item)
    beside = Beside.model_validate(item)
    quoted = beside.context or Quoted()
    return Inbound(
        phone_number_id=source.phone_number_id,
        provider_message_id=message.id,
        # Our own number is no customer of ours.
        person=Person() if source.is_own(message.sender) else person,
        kind=content.kind,
        text=content.text,
        payload=item,
        sent_at=source.moment(message.timestamp),
        media=content.media,
        quoted_id="" if _is_forwarded(quoted) else quoted.id or "",
        context=sentences(_quoted_words(quoted), _referral_words(beside.referral), content.context),
        ignored=ignored or _ignored_reason(message, content),
    )


def _why_ignored(message: Message, person: Person, source: Source) -> IgnoredReason | Literal[""]:
    if message.group_id:
        return IgnoredReason.GROUP_MESSAGE
    if not person.is_known:
        return IgnoredReason.NO_SENDER
    return IgnoredReason.FROM_OURSELVES if source.is_own(message.sender) else ""


def _ignored_reason(message: Message, content: Content) -> IgnoredReason | Literal[""]:
    if content.kind == "unsupported" and message.unsupported and message.unsupported.type == "edit":
        return IgnoredReason.EDITED
    return IgnoredReason.EMPTY_TEXT if content.kind == "text" and not content.text.strip() else ""


def _is_forwarded(quoted: Quoted) -> bool:
    return bool(quoted.forwarded or quoted.frequently_forwarded)


def _quoted_words(quoted: Quoted) -> str:
    forwarded = ""
    if _is_forwarded(quoted):
        forwarded = "This message was forwarded" + (" many times" if quoted.frequently_forwarded else "")
    product = quoted.referred_product
    if not product or not product.product_retailer_id:
        return forwarded
    catalog = f" of catalogue {product.catalog_id}" if product.catalog_id else ""
    return sentences(forwarded, f"The customer asks about product {product.product_retailer_id}{catalog}")


def _referral_words(referral: Referral | None) -> str:
    if referral is None:
        return ""
    what = "a post" if referral.source_type == "post" else "an ad"
    text = sentences(referral.headline or "", referral.body or "")
    click = f"click id {referral.ctwa_clid}" if referral.ctwa_clid else ""
    where = ", ".join(part for part in (referral.source_url, click) if part)
    came = f"The customer came from {what}" + (f": {text}" if text else "") + (f" ({where})" if where else "")
    greeting = referral.welcome_message.text if referral.welcome_message else ""
    return sentences(came, f"They were greeted with: {greeting}" if greeting else "")
