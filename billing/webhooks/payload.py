"""What an endpoint is told of an event: the same bytes each time it is told."""

import json
from typing import Any

from billing.models import Event
from config.lib.texts import timestamp


def of(event: Event) -> dict[str, Any]:
    """Give the body of an event."""
    return {
        "type": event.type,
        "timestamp": timestamp(event.created_at),
        "event_id": event.event_id,
        "sequence": event.sequence,
        "user_id": event.user_id,
        "conversation_id": event.conversation_id or None,
        "data": event.data,
    }


def encoded(event: Event) -> bytes:
    """Give the body as it is posted."""
    return json.dumps(of(event), separators=(",", ":"), ensure_ascii=False).encode()
