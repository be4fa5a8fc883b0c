"""What a business is told of a lead by webhook, in the transaction that changes it."""

from collections.abc import Sequence
from typing import Any

from billing import events
from billing.events import EventType
from channels_app import customer_object
from extraction.models import FIELDS, Extraction
from extraction.values import as_json


def values(extraction: Extraction) -> dict[str, Any]:
    """Return a lead's fields as JSON values, times in UTC."""
    return {name: as_json(getattr(extraction, name)) for name in FIELDS}


def data(extraction: Extraction, *, changed: Sequence[str], source: str) -> dict[str, Any]:
    """Return the data of an event about a lead; `source` of the change is `extraction`, `api` or `admin`."""
    conversation = extraction.conversation
    return {
        "extraction_id": extraction.extraction_id,
        "phone_number_id": conversation.customer.phone_number_id,
        "agent_id": conversation.agent_id,
        "customer_phone": conversation.customer_phone,
        "customer": customer_object.of(conversation.customer),
        "lead": {**values(extraction), "demo_source_text": extraction.demo_source_text},
        "changed": list(changed),
        "smart_notification": extraction.smart_notification,
        "source": source,
    }


def announce(extraction: Extraction, *, changed: Sequence[str], source: str, is_new: bool) -> None:
    """Note in the caller's transaction that there is a lead, or that it is another than before."""
    events.record(
        user_id=extraction.user_id,
        type=EventType.LEAD_CREATED if is_new else EventType.LEAD_UPDATED,
        data=data(extraction, changed=changed, source=source),
        conversation_id=extraction.conversation_id,
    )
