"""
WhatsApp Cloud API webhooks: the envelope around messages, statuses, errors and echoes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
"""

from collections.abc import Callable
from datetime import datetime

from channels_app.meta import body, whatsapp_events, whatsapp_messages, whatsapp_statuses
from channels_app.meta.schemas import reason
from channels_app.meta.types import Event, Inbound, Parsed, Problem
from channels_app.meta.whatsapp_schemas import Source, source

Reader = Callable[[dict[str, object], Source], Inbound | Event]

# field → list → what reads its items; all other fields are none of our business.
_READERS: dict[str, dict[str, Reader]] = {
    "messages": {
        "messages": whatsapp_messages.read,
        "statuses": whatsapp_statuses.status,
        "errors": whatsapp_statuses.notice,
    },
    "smb_message_echoes": {"message_echoes": whatsapp_events.echo},
}


def parse(payload: dict[str, object], *, now: datetime) -> Parsed:
    """Read all items of a body, each by itself; a bad one costs no other."""
    parsed = Parsed()
    for entry in body.each(payload, "entry", parsed):
        for change in body.each(entry, "changes", parsed):
            field = change.get("field")
            if not isinstance(field, str):
                parsed.problems.append(Problem(reason="changes: field is no text", item=change))
            elif field in _READERS:
                _read_value(change.get("value"), _READERS[field], str(entry.get("id")), parsed, now)
    return parsed


def _read_value(
    value: object, readers: dict[str, Reader], account_id: str, parsed: Parsed, now: datetime
) -> None:
    try:
        about = source(value, account_id=account_id, now=now)
    except Exception as error:  # noqa: BLE001  (whatever it is, the other changes are read)
        parsed.problems.append(Problem(reason=f"value: {reason(error)}", item=value))
        return
    assert isinstance(value, dict)
    for name, read in readers.items():
        for item in body.each(value, name, parsed, of=about.phone_number_id):
            try:
                parsed_item = read(item, about)
            except Exception as error:  # noqa: BLE001  (whatever it is, its neighbours are read)
                why = f"{name}: {reason(error)}"
                parsed.problems.append(Problem(why, item, phone_number_id=about.phone_number_id))
            else:
                _add(parsed, parsed_item)


def _add(parsed: Parsed, parsed_item: Inbound | Event) -> None:
    if isinstance(parsed_item, Inbound):
        parsed.inbound.append(parsed_item)
    else:
        parsed.events.append(parsed_item)
