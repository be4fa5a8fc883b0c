"""Events that a business gets once about the same subject."""

from typing import Any

from django.db import transaction

from billing import events
from billing.events import EventType
from config.lib import sql


@transaction.atomic
def raise_once(*, user_id: str, type: EventType, subject: str, data: dict[str, Any]) -> bool:  # noqa: A002
    """Record an event unless one of this type was recorded about the subject; return whether it was."""
    if not sql.execute(_NOTE_SQL, [user_id, type.value, subject[:255]]):
        return False
    events.record(user_id=user_id, type=type, data=data)
    return True


_NOTE_SQL = """
    INSERT INTO agent_notices (user_id, type, subject) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
