"""POST /_simulator/deliver: a customer writes, or does something else; or a person answers from the app."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simulator import identifiers, webhooks
from simulator.exchange import Json
from simulator.graph_media import INSTAGRAM_PATH
from simulator.incoming_items import InvalidItemError, checked
from simulator.instagram_messages import instagram_echo_item, instagram_item
from simulator.state import State
from simulator.webhooks import Customer
from simulator.whatsapp_messages import whatsapp_echo, whatsapp_echoes, whatsapp_item

KEYS = {
    "channel", "from", "text", "texts", "phone_number_id", "name", "user_id", "username", "message_ids",
    "timestamp", "reply_to", "media", "retry", "messages", "by_business",
}  # fmt: skip
MEDIA_TYPES = {"image", "audio", "video", "document", "sticker"}
DEFAULT_SENDERS = {"whatsapp": "+12025550143", "instagram": "8123456789012345"}


class InvalidDeliveryError(ValueError):
    """The delivery asked for makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A webhook to post, and the ids of the messages in it."""

    document: Json
    message_ids: list[str]


def build(state: State, order: Json) -> Incoming:
    """
    Build the webhook that is asked for, and remember the customer.

    :raises InvalidDeliveryError: if it makes no sense
    """
    unknown = sorted(order.keys() - KEYS)
    if unknown:
        raise InvalidDeliveryError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(KEYS))}")
    texts = order["texts"] if "texts" in order else [order["text"]] if "text" in order else []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidDeliveryError("texts must be a list of texts")
    if not texts and not {"media", "messages"} & order.keys():
        raise InvalidDeliveryError("texts, text, media or messages must be given")
    channel = order.get("channel", "whatsapp")
    if not isinstance(channel, str) or channel not in DEFAULT_SENDERS:
        raise InvalidDeliveryError("channel must be whatsapp or instagram")
    timestamp = order.get("timestamp")
    if timestamp is not None and not isinstance(timestamp, int):
        raise InvalidDeliveryError("timestamp must be unix seconds")
    if "messages" in order:
        try:
            items = checked(order["messages"], channel=channel, by_business=bool(order.get("by_business")))
        except InvalidItemError as error:
            raise InvalidDeliveryError(str(error)) from None
        act = _act_on_whatsapp if channel == "whatsapp" else _act_on_instagram
        return act(state, order, items)
    return _whatsapp(state, order, texts) if channel == "whatsapp" else _instagram(state, order, texts)


def _act_on_whatsapp(state: State, order: Json, items: Sequence[Json]) -> Incoming:
    """Build a webhook with an item for each thing that was done."""
    customer, number = _customer(order), _number(state, order)
    state.customers[customer.wa_id or customer.user_id or ""] = customer
    by_business = bool(order.get("by_business"))
    phone = customer.wa_id or "10000000000"
    ids = _ids(order, [identifiers.wamid(phone, outgoing=by_business) for _ in items])
    built = [
        (whatsapp_echo if by_business else whatsapp_item)(
            item,
            customer=customer,
            number=number,
            message_id=message_id,
            media=state.media.get(item.get("media_id", "")),
            sent_at=order.get("timestamp"),
        )
        for item, message_id in zip(items, ids, strict=True)
    ]
    wrap = whatsapp_echoes if by_business else webhooks.whatsapp_messages
    return Incoming(wrap(built, customer=customer, number=number), ids)


def _act_on_instagram(state: State, order: Json, items: Sequence[Json]) -> Incoming:
    """Build a webhook with an item for each thing that was done."""
    person, account_id = _instagram_ids(state, order)
    state.chats.chat("instagram", account_id, person, name=str(order.get("name") or ""))
    ids = _ids(order, [identifiers.mid() for _ in items])
    start = order["timestamp"] * 1000 if order.get("timestamp") else int(time.time() * 1000)
    events = []
    for index, (item, message_id) in enumerate(zip(items, ids, strict=True)):
        build_one = partial(
            instagram_echo_item if order.get("by_business") else instagram_item,
            _numbered(state, item),
            account_id=account_id,
            message_id=message_id,
            sent_at_ms=start + index,
            media_url=f"{state.environment.base_url}{INSTAGRAM_PATH}?asset_id={item.get('media_id')}",
        )
        events.append(build_one(recipient=person) if order.get("by_business") else build_one(sender=person))
    return Incoming(webhooks.instagram_envelope(events, account_id=account_id, time_ms=start + 150), ids)


def _whatsapp(state: State, order: Json, texts: Sequence[str]) -> Incoming:
    customer = _customer(order)
    key = customer.wa_id or customer.user_id or ""
    state.customers[key] = customer
    number = _number(state, order)
    media = [order["media"]] if "media" in order else []
    contents: list[tuple[str, Json]] = [("text", {"body": text}) for text in texts]
    contents += [_media(state, each) for each in media]
    ids = _ids(order, [identifiers.wamid(customer.wa_id or "10000000000") for _ in contents])
    messages = [
        webhooks.whatsapp_message(
            kind, content, customer=customer, message_id=message_id, sent_at=order.get("timestamp")
        )
        for (kind, content), message_id in zip(contents, ids, strict=True)
    ]
    if "reply_to" in order:
        quoted = {"from": number.display_phone_number, "id": order["reply_to"]}
        messages = [{"context": quoted, **message} for message in messages]
    return Incoming(webhooks.whatsapp_messages(messages, customer=customer, number=number), ids)


def _numbered(state: State, item: Json) -> Json:
    """Return the item; Instagram counts how often a message was edited."""
    edited = state.chats.message(item.get("message_id", ""))
    return item | {"num_edit": edited.edits + 1} if edited and item["kind"] == "edit" else item


def _number(state: State, order: Json) -> webhooks.Number:
    return state.number(str(order.get("phone_number_id") or state.environment.phone_number_id))


def _instagram_ids(state: State, order: Json) -> tuple[str, str]:
    """Return the customer's id and the account's."""
    account_id = str(order.get("phone_number_id") or state.environment.instagram_account_id)
    return str(order.get("from") or DEFAULT_SENDERS["instagram"]), account_id


def _customer(order: Json) -> Customer:
    sender = order.get("from")
    if sender is None and "user_id" not in order:
        sender = DEFAULT_SENDERS["whatsapp"]
    wa_id = "".join(character for character in str(sender) if character in "0123456789") if sender else None
    user_id = order["user_id"] if "user_id" in order else identifiers.business_scoped_user_id(wa_id or "")
    if not wa_id and not user_id:
        raise InvalidDeliveryError("from must hold a phone number, or user_id must be given")
    name = order.get("name") or "Luc\u00eda Fern\u00e1ndez"
    return Customer(wa_id=wa_id, name=name, user_id=user_id, username=order.get("username"))


def _media(state: State, media: Any) -> tuple[str, Json]:
    if not isinstance(media, dict) or media.get("type") not in MEDIA_TYPES or "id" not in media:
        raise InvalidDeliveryError(f"media needs an id and a type: {', '.join(sorted(MEDIA_TYPES))}")
    kept = state.media.get(str(media["id"]))
    content = {key: value for key, value in media.items() if key != "type"}
    if kept is not None:
        content = {"mime_type": kept.mime_type, "sha256": kept.sha256_base64(), **content}
    return media["type"], content


def _instagram(state: State, order: Json, texts: Sequence[str]) -> Incoming:
    ids = _ids(order, [identifiers.mid() for _ in texts])
    sender, account_id = _instagram_ids(state, order)
    document = webhooks.instagram_text(
        texts,
        sender=sender,
        account_id=account_id,
        sent_at_ms=None if order.get("timestamp") is None else order["timestamp"] * 1000,
        message_ids=ids,
    )
    return Incoming(document, ids)


def _ids(order: Json, made: list[str]) -> list[str]:
    given = order.get("message_ids")
    if given is None:
        return made
    if (
        not isinstance(given, list)
        or len(given) != len(made)
        or not all(isinstance(one, str) for one in given)
    ):
        raise InvalidDeliveryError(f"message_ids must be a list of {len(made)} texts")
    return given
