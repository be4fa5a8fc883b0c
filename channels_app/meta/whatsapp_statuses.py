"""
How far our WhatsApp messages got, and what is wrong with a number.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

import json
from typing import Annotated

from pydantic import Field

from channels_app.meta.shapes import Maybe, MessageId, Shape, UnfitError, present
from channels_app.meta.types import Event
from channels_app.meta.whatsapp_shapes import Bsuid, Error, Source, WaId

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
    found = Status.model_validate(item)
    # In a group the recipient is the group.
    is_group = found.recipient_type == "group"
    person = None if is_group else source.person(found.recipient_id or None, found.recipient_user_id or None)
    return Event(
        phone_number_id=source.phone_number_id,
        kind="status",
        key=f"{found.id}:{found.status}",
        payload=item,
        occurred_at=source.moment(found.timestamp),
        provider_message_id=found.id,
        callback_data=found.biz_opaque_callback_data or "",
        person=person if person and person.is_known else None,
        data={"status": found.status, "error": "; ".join(map(str, present(found.errors)))},
    )


def notice(item: dict[str, object], source: Source) -> Event:
    """
    Read one of `errors`: something about the number itself. It has no id and no time but ours.

    :raises UnfitError: if it has neither code nor title
    """
    found = Error.model_validate(item)
    if found.code is None and not found.title:
        raise UnfitError("error without code and title")
    told = json.dumps(item, sort_keys=True)
    return Event(
        phone_number_id=source.phone_number_id,
        kind="notice",
        key=f"{source.account_id}:{found.code}:{source.now:%Y-%m-%dT%H:%M%z}:{told}",
        payload=item,
        occurred_at=source.now,
        data={"code": found.code, "title": found.title or ""},
    )
