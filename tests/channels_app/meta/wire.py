"""Bodies as Meta sends them, and what they are read as."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from channels_app.meta import body, instagram, whatsapp
from channels_app.meta.types import Event, Inbound, Parsed, Person, Problem

PAYLOADS = Path(__file__).parents[2] / "payloads"
PARSERS = {"whatsapp_business_account": whatsapp.parse, "instagram": instagram.parse}
# A little after everything in the sample bodies.
NOW = datetime(2026, 11, 23, tzinfo=UTC)
SENT = 1795380000
SENT_AT = datetime.fromtimestamp(SENT, tz=UTC)
NUMBER = "109876543210987"
OWN_NUMBER = "12025550100"
ACCOUNT = "17841400000000001"
IGSID = "8123456789012345"
LUCIA = Person(wa_id="12025550143", bsuid="US.13490000000000000001", name="Luc\u00eda Fern\u00e1ndez")
CONTACT = {"profile": {"name": LUCIA.name}, "wa_id": LUCIA.wa_id, "user_id": LUCIA.bsuid}

Json = dict[str, Any]


def sample(name: str) -> bytes:
    return (PAYLOADS / f"{name}.body").read_bytes()


def parse_bytes(raw: bytes) -> Parsed:
    payload = body.read(raw)
    parser = PARSERS.get(str(payload.get("object")))
    return parser(payload, now=NOW) if parser else Parsed()


def through_bytes(payload: Json) -> Parsed:
    return parse_bytes(json.dumps(payload).encode())


def message(kind: str = "text", content: object = None, **more: object) -> Json:
    """One of WhatsApp's `messages`; None among `more` leaves a key out."""
    content = {"body": "Hola"} if kind == "text" and content is None else content
    found = {
        "from": LUCIA.wa_id,
        "from_user_id": LUCIA.bsuid,
        "id": "wamid.IN",
        "timestamp": str(SENT),
        "type": kind,
        kind: content,
    } | more
    return {key: value for key, value in found.items() if value is not None}


def whatsapp_value(field: str = "messages", **value: object) -> Json:
    metadata = {"display_phone_number": OWN_NUMBER, "phone_number_id": NUMBER}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [CONTACT]} | value
    changes = [{"field": field, "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "201234567890123", "changes": changes}]}


def whatsapp_messages(*messages: object) -> Parsed:
    return through_bytes(whatsapp_value(messages=list(messages)))


def told(kind: str, content: object = None, **more: object) -> Inbound:
    """The one message this is read as."""
    return only_inbound(whatsapp_messages(message(kind, content, **more)))


def item(**more: object) -> Json:
    """One item of Instagram's `messaging`."""
    return {"sender": {"id": IGSID}, "recipient": {"id": ACCOUNT}, "timestamp": SENT * 1000} | more


def instagram_entry(**entry: object) -> Json:
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": SENT * 1000} | entry]}


def instagram_items(*items: object) -> Parsed:
    return through_bytes(instagram_entry(messaging=list(items)))


def ig_told(sides: Json | None = None, **content: object) -> Inbound:
    """The one message this is read as."""
    said = item(message={"mid": "mid.IN"} | content, **(sides or {}))
    return only_inbound(instagram_items(said))


def only_inbound(parsed: Parsed) -> Inbound:
    assert (len(parsed.inbound), parsed.events, parsed.problems) == (1, [], [])
    return parsed.inbound[0]


def only_event(parsed: Parsed) -> Event:
    assert (parsed.inbound, len(parsed.events), parsed.problems) == ([], 1, [])
    return parsed.events[0]


def only_problem(parsed: Parsed) -> Problem:
    assert (parsed.inbound, parsed.events, len(parsed.problems)) == ([], [], 1)
    return parsed.problems[0]
