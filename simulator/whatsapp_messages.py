"""
WhatsApp messages of every kind that the phone page sends, as Meta's webhooks tell them; nothing here talks.

An item is ``{"kind": …}`` with the fields of `incoming_items`.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

from collections.abc import Callable, Sequence

from simulator.exchange import Json
from simulator.graph_media import Media
from simulator.webhooks import Customer, Number, unix_seconds, whatsapp_envelope, whatsapp_message


def whatsapp_item(
    item: Json,
    *,
    customer: Customer,
    number: Number,
    message_id: str,
    media: Media | None = None,
    sent_at: int | None = None,
) -> Json:
    """Build one element of ``messages[]`` from what a customer does; `media` is the file it is about."""
    kind, content = _content(item, media)
    message = whatsapp_message(kind, content, customer=customer, message_id=message_id, sent_at=sent_at)
    if item.get("reply_to"):
        message = {"context": {"from": number.display_phone_number, "id": item["reply_to"]}, **message}
    return message


def whatsapp_echo(
    item: Json,
    *,
    customer: Customer,
    number: Number,
    message_id: str,
    media: Media | None = None,
    sent_at: int | None = None,
) -> Json:
    """Build one element of ``message_echoes[]``: a person wrote from the WhatsApp Business app."""
    kind, content = _content(item, media)
    to = {"to": customer.wa_id} if customer.wa_id else {}
    return {
        "from": number.display_phone_number,
        **to,
        **({"to_user_id": customer.user_id} if customer.user_id else {}),
        "id": message_id,
        "timestamp": unix_seconds(sent_at),
        "type": kind,
        kind: content,
    }


def whatsapp_echoes(echoes: Sequence[Json], *, customer: Customer, number: Number) -> Json:
    """Wrap echoes of messages to one customer in a webhook."""
    document = whatsapp_envelope(
        {"contacts": [customer.contact()], "message_echoes": list(echoes)}, number=number
    )
    for change in document["entry"][0]["changes"]:
        change["field"] = "smb_message_echoes"
    return document


def _content(item: Json, media: Media | None) -> tuple[str, Json | list[Json]]:
    if item["kind"] in _FILES:
        return _FILES[item["kind"]], _file(item, media)
    return _BUILDERS[item["kind"]](item)


def _file(item: Json, media: Media | None) -> Json:
    told = {"mime_type": media.mime_type, "sha256": media.sha256_base64()} if media else {}
    content = {key: item[key] for key in ("caption", "filename") if item.get(key)}
    content |= {**told, "id": item["media_id"]}
    if item["kind"] in {"voice", "audio"}:
        content["voice"] = item["kind"] == "voice"
    return content


def _text(item: Json) -> tuple[str, Json]:
    return "text", {"body": item["text"]}


def _location(item: Json) -> tuple[str, Json]:
    return "location", _kept(item, "latitude", "longitude", "name", "address")


def _contact(item: Json) -> tuple[str, list[Json]]:
    first, _, last = item["name"].partition(" ")
    name = {"first_name": first, **({"last_name": last} if last else {}), "formatted_name": item["name"]}
    wa_id = "".join(character for character in item["phone"] if character in "0123456789")
    return "contacts", [{"name": name, "phones": [{"phone": item["phone"], "wa_id": wa_id, "type": "CELL"}]}]


def _button(item: Json) -> tuple[str, Json]:
    reply = {"id": item.get("id") or item["title"], "title": item["title"]}
    return "interactive", {"type": "button_reply", "button_reply": reply}


def _row(item: Json) -> tuple[str, Json]:
    reply = {"id": item.get("id") or item["title"], **_kept(item, "title", "description")}
    return "interactive", {"type": "list_reply", "list_reply": reply}


def _reaction(item: Json) -> tuple[str, Json]:
    return "reaction", _kept(item, "message_id", "emoji")


def _edit(item: Json) -> tuple[str, Json]:
    message = {"type": "text", "text": {"body": item["text"]}}
    return "edit", {"original_message_id": item["message_id"], "message": message}


def _delete(item: Json) -> tuple[str, Json]:
    return "revoke", {"original_message_id": item["message_id"]}


def _kept(item: Json, *names: str) -> Json:
    return {name: item[name] for name in names if item.get(name) not in {None, ""}}


_FILES = {
    **{kind: kind for kind in ("image", "video", "audio", "document", "sticker")},
    "voice": "audio",
}
_BUILDERS: dict[str, Callable[[Json], tuple[str, Json | list[Json]]]] = {
    "text": _text,
    "location": _location,
    "contact": _contact,
    "button": _button,
    "row": _row,
    "reaction": _reaction,
    "edit": _edit,
    "delete": _delete,
}
