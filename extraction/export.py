"""Leads as a table for spreadsheets: CSV, page by page."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from config.lib.texts import timestamp
from conversations.listing import Listing
from extraction import listing
from extraction.models import FIELDS, Extraction

# At the end, so that the columns before them keep their places.
_OF_CUSTOMER = ("customer_id", "external_id", "customer_name", "customer_username", "customer_address")
_CONVERSATION_COLUMNS = ("agent_id", "phone_number_id", "channel", "customer_phone")
COLUMNS = (
    *("extraction_id", "conversation_id", *_CONVERSATION_COLUMNS, "status", "trigger", "is_current", *FIELDS),
    *("demo_source_text", "smart_notification", "notified_at", "evidence", "corrected", "suggestions"),
    *("refused", "changed", "reason", "prompt_id", "prompt_version", "model", "tokens_used"),
    *("upto_sequence_no", "created_at", "extracted_at", *_OF_CUSTOMER),
)
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PHONE = re.compile(r"\+[0-9]+")


def chunks(extractions: Listing[Extraction]) -> Iterator[bytes]:
    """Return a whole list as CSV in UTF-8: the names of the columns, then a chunk for each page."""
    yield _lines([COLUMNS])
    for rows in listing.pages(extractions):
        if rows:
            yield _lines([[cell(value) for value in _values(row)] for row in rows])


def cell(value: Any) -> str:
    """Write a value so that no spreadsheet takes it for a formula; a plain phone number stays as it is."""
    text = _text(value)
    is_formula = text.lstrip(" ").startswith(_FORMULA) and _PHONE.fullmatch(text) is None
    return f"'{text}" if is_formula else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return str(value)


def _values(row: Extraction) -> Iterator[Any]:
    conversation = row.conversation
    number = conversation.customer.phone_number
    of_conversation = {
        "agent_id": conversation.agent_id,
        "phone_number_id": number.phone_number_id,
        "channel": number.type,
        "customer_phone": conversation.customer_phone,
        "customer_id": conversation.customer.customer_id,
        "external_id": conversation.customer.external_id,
        "customer_name": conversation.customer.name,
        "customer_username": conversation.customer.username,
        "customer_address": conversation.customer.address,
    }
    for name in COLUMNS:
        yield of_conversation[name] if name in of_conversation else getattr(row, name)


def _lines(rows: list[Any]) -> bytes:
    """Write lines, every cell in quotes: whatever a spreadsheet parts cells by, it parts none of ours."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    return written.getvalue().encode()
