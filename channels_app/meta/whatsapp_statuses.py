"""
How far our WhatsApp messages got, and what is wrong with a number.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

import json
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from channels_app.meta import body
from channels_app.meta.schemas import Maybe, MessageId, Shape, UnfitError, are_texts, present
from channels_app.meta.types import Event
from channels_app.meta.whatsapp_schemas import Bsuid, Error, Source, WaId

# Ours are short; the column holds no more than this.
CallbackData = Annotated[str, Field(max_length=512)]


class Status(Shape):
    """How far a message of ours got; Meta may add names."""

    id: MessageId
    status: Annotated[str, Field(min_length=1, max_length=50)]
    timestamp: object = None
    recipient_id: Maybe[WaId] = None
    recipient_user_id: Maybe[Bsuid] = None
    recipient_type: Maybe[str] = None
    biz_opaque_callback_data: Maybe[CallbackData] = None
    errors: Maybe[list[Maybe[Error]]] = None


def status(item: dict[str, object], source: Source) -> Event:
    """
    Read one of `statuses`.

    :raises ValidationError: if it has no id or no status
    """
    fields = _plain(item) or _validated(item)
    # In a group the recipient is the group.
    person = None if fields.is_group else source.person(fields.recipient_id or None, fields.bsuid or None)
    return Event(
        phone_number_id=source.phone_number_id,
        kind="status",
        key=f"{fields.id}:{fields.status}",
        payload=item,
        occurred_at=source.moment(item.get("timestamp")),
        provider_message_id=fields.id,
        callback_data=fields.callback_data,
        person=person if person and person.is_known else None,
        data={"status": fields.status, "error": fields.error},
    )


class _StatusFields(NamedTuple):
    """What a status tells; the ids of its recipient may be missing, and are empty then."""

    id: str
    status: str
    recipient_id: str
    bsuid: str
    callback_data: str
    is_group: bool = False
    error: str = ""


def _validated(item: dict[str, object]) -> _StatusFields:
    parsed = Status.model_validate(item)
    return _StatusFields(
        parsed.id,
        parsed.status,
        parsed.recipient_id or "",
        parsed.recipient_user_id or "",
        parsed.biz_opaque_callback_data or "",
        is_group=parsed.recipient_type == "group",
        error="; ".join(map(str, present(parsed.errors))),
    )


_TEXTS = {
    "id": body.MAX_ID_LENGTH,
    "status": 50,
    "recipient_id": 50,
    "recipient_user_id": 150,
    "biz_opaque_callback_data": 512,
}


def _plain(item: dict[str, Any]) -> _StatusFields | None:
    """Return what `_validated` does, for a status of the ordinary form; None for any other."""
    if not item.keys().isdisjoint(("errors", "recipient_type")) or not are_texts(item, _TEXTS):
        return None
    message_id, status, recipient_id, bsuid, callback_data = (item.get(name) or "" for name in _TEXTS)
    if not message_id or not status:
        return None
    return _StatusFields(message_id, status, recipient_id.removeprefix("+"), bsuid, callback_data)


def notice(item: dict[str, object], source: Source) -> Event:
    """
    Read one of `errors`: something about the number itself. It has no id and no time but ours.

    :raises UnfitError: if it has neither code nor title
    """
    error = Error.model_validate(item)
    if error.code is None and not error.title:
        raise UnfitError("error without code and title")
    text = json.dumps(item, sort_keys=True)
    return Event(
        phone_number_id=source.phone_number_id,
        kind="notice",
        key=f"{source.account_id}:{error.code}:{source.now:%Y-%m-%dT%H:%M%z}:{text}",
        payload=item,
        occurred_at=source.now,
        data={"code": error.code, "title": error.title or ""},
    )
