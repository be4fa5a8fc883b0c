"""
Masks phone numbers, e-mail addresses, tokens and the values of rows in whatever a log line holds.

Text that somebody wrote is never passed to a logger. It can still arrive in the text of an exception:
Postgres quotes the row that broke a constraint, pydantic the value that did not fit.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# Ids: theirs is a long run of digits that is no phone number.
PLAIN_KEYS = frozenset(
    {
        *(
            "timestamp",
            "correlation_id",
            "request_id",
            "phone_number_id",
            "user_id",
            "customer_id",
            "turn_id",
        ),
        *("inbound_id", "key_prefix", "webhook_correlation_id", "correlation_ids"),
        *("conversation_id", "openai_conversation_id", "message_id", "delivery_id", "event_id"),
    }
)
HIDDEN = "(hidden)"
_MOST_LEVELS = 6
# Longer than any traceback of use; what a client sends may be longer, as its address in a request's `repr`.
_LONGEST_TEXT = 50_000
# A number of more digits is an id, a phone number or nothing that a log line needs exactly.
_LONGEST_NUMBER = 10**9

_DIGITS = re.compile(r"\+\d(?:[ ().-]{0,2}\d){7,}|\d{8,}")
# Each repetition that something must follow is bounded: clients choose some texts, and the time to search one
# must not grow with the square of its length.
_EMAIL = re.compile(r"[\w.+'%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_TOKEN = re.compile(
    r"(?:\b(?:mcak|wcs|whsec)_|\bsk-|\bEAA|\bIGAA|\beyJ)[\w.:~+/=-]{6,}"
    r"|(?i:\bBearer\s+)[\w.:~+/=-]+|\bsha256=[0-9a-f]{16,}"
)
_PARAMETER = re.compile(r"(?i)((?:token|secret|password|api[_-]?key)['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;)}]+")
# What follows Postgres's first line names values; a chained exception comes after an empty line.
_ROW = re.compile(
    r"(?:DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+):.*?"
    r"(?=(?:\n|\\n)\n{0,2}(?:The above exception|During handling of)|\Z)",
    re.DOTALL,
)
_INPUT_SYNTAX = re.compile(r"(invalid input syntax for [^:\n]{0,100}|out of range[^:\n]{0,100}): .*")
_INPUT_VALUE = re.compile(r"input_value=.*?(?=, input_type=|\Z)", re.DOTALL)


def masked(text: str) -> str:
    """Return a text without phone numbers, e-mail addresses and tokens."""
    # Most members of most lines are short ids: what such a character must be part of is not searched for.
    if "@" in text:
        text = _EMAIL.sub("…@…", text)
    if "=" in text or ":" in text:
        text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    text = _TOKEN.sub("(token)", text)
    return _DIGITS.sub(lambda match: f"{match[0][:3]}…{match[0][-2:]}", text)


def tail(identifier: str) -> str:
    """Return the end of a channel's id of a message: the beginning of WhatsApp's encodes a phone number."""
    return f"…{identifier[-8:]}" if identifier else ""


def without_values(text: str) -> str:
    """Return the text of an exception without the values of rows and inputs that it quotes."""
    if ":" not in text and "=" not in text:
        return text
    text = _ROW.sub(f"DETAIL: {HIDDEN}", text)
    text = _INPUT_SYNTAX.sub(rf"\1: {HIDDEN}", text)
    return _INPUT_VALUE.sub(f"input_value={HIDDEN}", text)


def clean(value: Any, *, key: str = "", levels: int = _MOST_LEVELS) -> Any:
    """Return a value for a log line: plain JSON, with every text in it masked."""
    if isinstance(value, str):
        return _clean_text(value, key)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        is_short = abs(value) < _LONGEST_NUMBER or key in PLAIN_KEYS
        return value if is_short else masked(str(value))
    if levels and isinstance(value, Mapping):
        members = ((clean_key(name), member) for name, member in value.items())
        return {name: clean(member, key=name, levels=levels - 1) for name, member in members}
    if levels and isinstance(value, list | tuple | set | frozenset):
        return [clean(member, key=key, levels=levels - 1) for member in value]
    return _clean_text(value, key)


def clean_key(name: object) -> str:
    """Return a member's name, masked: a mapping may have phone numbers as keys."""
    return _clean_name(name if isinstance(name, str) else repr(name))


@lru_cache(maxsize=1000)
def _clean_name(name: str) -> str:
    return masked(without_values(name))


def _clean_text(value: object, key: str) -> str:
    text = value if isinstance(value, str) else _text_of(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"
    return text if key in PLAIN_KEYS else masked(without_values(text))


def _text_of(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a line is better without the value than not written)
        return f"<{type(value).__name__}>"
