"""What an Instagram message says, and what the model should know beside it."""

from dataclasses import dataclass

from channels_app.meta import instagram_attachments
from channels_app.meta.instagram_attachments import Attached, Attachment
from channels_app.meta.schemas import Maybe, MessageId, Shape, sentences, unshowable
from channels_app.meta.types import Media


class QuickReply(Shape):
    """A suggested answer that was taken."""

    payload: Maybe[str] = None


class Story(Shape):
    """A story of ours."""

    url: Maybe[str] = None


class ReplyTo(Shape):
    """What a message answers: a message, or a story."""

    mid: Maybe[MessageId] = None
    story: Maybe[Story] = None


class Product(Shape):
    """A product of our shop."""

    id: Maybe[str] = None


class Ad(Shape):
    """What an ad showed."""

    ad_title: Maybe[str] = None


class Referral(Shape):
    """Where a customer came from: an ad, a product or a link with our own reference."""

    ref: Maybe[str] = None
    ad_id: Maybe[str] = None
    source: Maybe[str] = None
    ads_context_data: Maybe[Ad] = None
    product: Maybe[Product] = None


class Message(Shape):
    """The object `message`."""

    mid: MessageId
    text: str | None = None
    attachments: list[Maybe[Attachment]] | None = None
    quick_reply: Maybe[QuickReply] = None
    reply_to: Maybe[ReplyTo] = None
    referral: Maybe[Referral] = None
    is_deleted: bool | None = None
    is_unsupported: Maybe[bool] = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, in the words of `types.Inbound`."""

    kind: str
    text: str
    media: tuple[Media, ...] = ()
    context: str = ""


def read(message: Message) -> Content:
    """Put a message into words."""
    attached = [instagram_attachments.read(attachment) for attachment in message.attachments or ()]
    kind = _kind(message, attached)
    text = message.text or (message.quick_reply and message.quick_reply.payload) or ""
    is_unseen = kind == "unknown" or (message.is_unsupported and not attached)
    return Content(
        kind=kind,
        text="\n".join(part for part in (text, *(each.text for each in attached)) if part),
        media=tuple(media for each in attached for media in each.media),
        context=sentences(
            _story_words(message.reply_to),
            referral_words(message.referral),
            *dict.fromkeys(each.context for each in attached),
            unshowable("unsupported" if message.is_unsupported else "unknown") if is_unseen else "",
        ),
    )


def _kind(message: Message, attached: list[Attached]) -> str:
    if message.quick_reply and (message.text or message.quick_reply.payload):
        return "choice"
    if message.reply_to and message.reply_to.story:
        return "story_reply"
    if attached:
        # What can be shown says more than what cannot.
        return next((each.kind for each in attached if each.kind != "unsupported"), "unsupported")
    if message.is_unsupported:
        return "unsupported"
    return "unknown" if message.text is None else "text"


def _story_words(reply_to: ReplyTo | None) -> str:
    if reply_to is None or reply_to.story is None:
        return ""
    return "The customer replies to our story" + (f": {reply_to.story.url}" if reply_to.story.url else "")


def referral_words(referral: Referral | None) -> str:
    """Describe where a customer came from."""
    if referral is None:
        return ""
    product = referral.product.id if referral.product else ""
    title = referral.ads_context_data.ad_title if referral.ads_context_data else ""
    came = ""
    if title or referral.ad_id or referral.source == "ADS":
        came = "The customer came from an ad" + (f": {title}" if title else "")
        came += f" (reference {referral.ref})" if referral.ref else ""
    elif referral.ref:
        came = f"The customer came by a link with the reference {referral.ref}"
    return sentences(came, f"The customer asks about product {product}" if product else "")
