"""Talks and answers of the model, made without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from extraction.fields import Findings
from extraction.models import FIELDS
from extraction.schema import Lead
from extraction.transcripts import Line, Transcript

# A Tuesday.
SAID_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def line(number: int, text: str, author: str = "customer", **changes: Any) -> Line:
    facts = {
        "number": number,
        "message_id": f"msg_{number}",
        "author": author,
        "text": text,
        "own": text,
        "at": SAID_AT + timedelta(minutes=number),
    }
    return Line(**{**facts, **changes})


def talk(*said: str | Line, **changes: Any) -> Transcript:
    """A talk with a customer who writes from nowhere; texts are theirs."""
    facts = {
        "customer_id": "cus_1",
        "channel": "whatsapp",
        "customer_phone": "",
        "customer_name": "",
        "region": "",
        "timezone": "UTC",
        "business_name": "Bakery",
        "lines": tuple(
            line(number, text) if isinstance(text, str) else text for number, text in enumerate(said, 1)
        ),
    }
    return Transcript(**{**facts, **changes})


def told(
    value: Any, messages: tuple[int, ...] = (1,), confidence: float = 0.9, **more: Any
) -> dict[str, Any]:
    """What the model tells of a field."""
    return {"value": value, "messages": list(messages), "confidence": confidence, **more}


def answer(**fields: Any) -> Lead:
    """The model's answer: null but for these."""
    return Lead.model_validate({**dict.fromkeys(Lead.model_fields), **fields})


def found(*, newest: int = 1, confidence: float = 0.9, **values: Any) -> Findings:
    """What a reading found, all of it in one message."""
    return Findings(
        values={**dict.fromkeys(FIELDS), **values},
        evidence={name: {"confidence": confidence, "messages": [f"msg_{newest}"]} for name in values},
        newest=dict.fromkeys(values, newest),
    )
