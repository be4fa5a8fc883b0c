"""
The message object: what the API answers and events carry of a message. It is made here and nowhere else.

`rows` reads what `of` shows, for a page of messages or a batch of events as for one of them.
"""

from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Max, OuterRef, Prefetch, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from channels_app import customer_object
from channels_app.models import InboundMessage, PhoneNumber
from channels_app.webchat.messages import client_id_of
from config.lib.texts import timestamp
from conversations import media_links, reasons
from conversations.models import Conversation, Delivery, Message

MEDIA_FIELDS = ("kind", "mime_type", "filename", "name", "transcript")

_READ = (
    *("message_id", "user_id", "conversation_id", "phone_number_id", "turn_id", "inbound_id", "sender"),
    *("author", "actor", "text", "kind", "media", "provider_message_id", "reaction", "edited_at"),
    *("deleted_at", "timestamp", "status", "sequence_no", "failure_reason", "failed_at", "unknown_at"),
    "tokens_used",
)
_READ_OF_CUSTOMER = (
    *("phone_number_id", "external_id", "name", "username", "wa_id", "bsuid", "ig_id", "visitor_id"),
    "phone_number__type",
)
_READ_OF_CONVERSATION = (
    *("agent_id", "customer_phone", "customer_id"),
    *(f"customer__{name}" for name in _READ_OF_CUSTOMER),
)
# Of the customer's messages in a turn, the newest; by indexes alone, without a sort for each row.
_NEWEST_OF_TURN = (
    Message.objects.filter(turn=OuterRef(OuterRef("turn_id")), author=Message.Author.CUSTOMER)
    .order_by()
    .values("turn")
    .annotate(newest=Max("sequence_no"))
    .values("newest")
)
_ANSWERED = Message.objects.filter(
    conversation=OuterRef("conversation_id"), sequence_no=Subquery(_NEWEST_OF_TURN)
).values("message_id")[:1]
_SAME_CHANNEL_ID = {
    "provider_message_id": OuterRef("quoted_id"),
    "phone_number": OuterRef("phone_number_id"),
}
_QUOTED_REPLY = Delivery.objects.filter(**_SAME_CHANNEL_ID).values("message_id")[:1]
# The condition of the index is named, or it would not be used.
_QUOTED = Message.objects.filter(**_SAME_CHANNEL_ID).exclude(provider_message_id="").values("message_id")[:1]
_IN_REPLY_TO = Case(
    When(author=Message.Author.AI, turn__isnull=False, then=Subquery(_ANSWERED)),
    When(quoted_id="", then=Value(None)),
    default=Coalesce(Subquery(_QUOTED_REPLY), Subquery(_QUOTED)),
    output_field=CharField(null=True),
)


def rows(messages: QuerySet[Message]) -> QuerySet[Message]:
    """
    Return the messages with everything that `of` shows.

    What stands in other tables is read by queries of its own: joins would have Postgres sort long lists.
    """
    conversations = Conversation.objects.select_related("customer__phone_number").only(*_READ_OF_CONVERSATION)
    related = (
        Prefetch("conversation", conversations),
        Prefetch("inbound", InboundMessage.objects.only("reason")),
    )
    return messages.only(*_READ).annotate(in_reply_to=_IN_REPLY_TO).prefetch_related(*related)


def of(message: Message) -> dict[str, Any]:
    """Return the message object of a row that `rows` has read."""
    conversation, reason = message.conversation, _reason(message)
    customer = customer_object.of(conversation.customer)
    return {
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "agent_id": conversation.agent_id,
        "phone_number_id": message.phone_number_id,
        "channel": customer["channel"],
        "customer_phone": conversation.customer_phone,
        "customer": customer,
        "sender": message.sender,
        "author": message.author,
        "actor": message.actor,
        "kind": message.kind,
        "text": "" if message.deleted_at else message.text,
        "media": [] if message.deleted_at else [_media(entry) for entry in media_links.with_links(message)],
        "reaction": message.reaction,
        "edited_at": _moment(message.edited_at),
        "deleted_at": _moment(message.deleted_at),
        "timestamp": timestamp(message.timestamp),
        "status": message.status,
        "reason": reason.as_json() if reason else None,
        "failure_reason": message.failure_reason,
        "failed_at": _moment(message.failed_at),
        "unknown_at": _moment(message.unknown_at),
        "sequence_no": message.sequence_no,
        "tokens_used": message.tokens_used,
        "turn_id": message.turn_id,
        "in_reply_to": message.in_reply_to,  # type: ignore[attr-defined]
        "client_message_id": _client_message_id(message, channel=customer["channel"]),
    }


def _media(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of a file and its link: not where the channel has it."""
    described = {name: entry.get(name) or "" for name in MEDIA_FIELDS}
    return {**described, "url": entry["url"], "expires_at": _moment(entry["expires_at"])}


def _reason(message: Message) -> reasons.Reason | None:
    """Return why a message failed, is of unknown outcome, or was not answered; None if all is well."""
    inbox = message.inbound.reason if message.inbound else ""
    text = message.failure_reason or inbox
    has_failed = message.status in {Message.Status.FAILED, Message.Status.UNKNOWN}
    return reasons.parse(text) if text or has_failed else None


def _client_message_id(message: Message, *, channel: str) -> str | None:
    """Return the id that a web chat's widget, or the business's own server, gave a customer's message."""
    is_from_customer = message.author == Message.Author.CUSTOMER and message.provider_message_id
    if channel != PhoneNumber.Type.WEBCHAT or not is_from_customer:
        return None
    return client_id_of(message.provider_message_id)


def _moment(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None
