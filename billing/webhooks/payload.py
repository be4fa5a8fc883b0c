"""What an endpoint is told of an event: the same bytes each time it is told."""

import json
import re
from typing import Any

from billing.models import Event
from config.lib.texts import timestamp


def of(event: Event) -> dict[str, Any]:
    """Return the payload of an event."""
    return {
        "type": event.type,
        "timestamp": timestamp(event.created_at),
        "event_id": event.event_id,
        "sequence": event.sequence,
        "user_id": event.user_id,
        "conversation_id": event.conversation_id or None,
        "data": _with_z(event.data),
    }


# The names of times in `data`; SQL writes them with an offset of `+00:00`.
_TIME = re.compile(r"(.*_)?(timestamp|at|since|datetime)")


def _with_z(value: Any, name: str = "") -> Any:
    """Return a part of `data` in which times end in `Z`; no other text is changed."""
    if isinstance(value, dict):
        return {key: _with_z(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_z(member, name) for member in value]
    if isinstance(value, str) and value.endswith("+00:00") and _TIME.fullmatch(name):
        return f"{value.removesuffix('+00:00')}Z"
    return value


def encoded(event: Event) -> bytes:
    """Return the payload as it is posted."""
    return json.dumps(of(event), separators=(",", ":"), ensure_ascii=False).encode()
