"""
Reads the lead in a transcript by plain rules, as an honest model would.

The transcript is found in the user's input as JSON objects, one a line: `{"n", "from", "at", "text"}`. What
the customer says to the model changes nothing: there is no rule for it.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from simulator import lead_times
from simulator.exchange import Json

MARKS = {"email", "company", "urgency", "demo_datetime"}
_NAME = r"[A-Z][\w'\u2019-]+(?: (?:[A-Z][\w'\u2019-]+|van|de|von|der|la)){0,3}"
_COMPANY = r"[A-Z0-9][\w&'\u2019.-]*(?: (?:[A-Z0-9&][\w&'\u2019.-]*|and|of|the)){0,4}"

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w@.,$€£])\+?\d(?:[ ()./-]{0,2}\d){6,14}(?!\w)")
_NAMES = re.compile(
    rf"\b(?:I['\u2019]m|I am|[Mm]y name is|[Mm]y name['\u2019]s|[Tt]his is|[Mm]e llamo|[Ii]ch bin) ({_NAME})"
)
_COMPANIES = (
    re.compile(
        rf"\b(?:[Ww]e are|[Ww]e['\u2019]re|[Cc]ompany is|[Cc]ompany name is|[Ww]ork (?:for|at)) ({_COMPANY})"
    ),
    re.compile(rf"\b(?:from|at|von|de) ({_COMPANY})"),
)
_INTENT = re.compile(
    r"\b(?:want|need|looking for|look for|interested in|would like)\b\s*"
    r"(?:to (?:order|buy|get|have|book|see) )?"
    r"([^.!?\n]+)",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?:[$€£]\s?(\d[\d.,]*)\s?(k\b)?|(\d[\d.,]*)\s?(k\b)?\s?(?:USD|EUR|GBP|dollars|euros?|pounds)\b)",
    re.IGNORECASE,
)
_URGENCY = (
    (3, re.compile(r"\b(?:asap|urgent(?:ly)?|immediately|right away|today)\b", re.IGNORECASE)),
    (2, re.compile(r"\b(?:this week|next week|this month|soon)\b", re.IGNORECASE)),
    (1, re.compile(r"\b(?:no hurry|no rush|some ?day|just looking)\b", re.IGNORECASE)),
)
_POOR = re.compile(r"\b(?:no budget|little money|cheap(?:est)?)\b", re.IGNORECASE)
_MEETING = re.compile(r"\b(?:demo|meeting|meet|call|appointment)\b", re.IGNORECASE)
# Words that begin with a capital letter and are no company.
_NOT_COMPANIES = re.compile(
    r"(?:\d|January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)"
)
_LARGE = 1000
_MOST_WORDS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """What the customer wrote: its number, the local time it was written at, the words."""

    number: int
    at: str
    text: str


def is_wanted(schema: Json) -> bool:
    """Tell whether a schema asks for a lead with its evidence."""
    return set(schema.get("properties") or {}) >= MARKS and "messages" in json.dumps(schema)


def fill(schema: Json, texts: Sequence[str]) -> dict[str, Any]:
    """Fill in a lead's schema from the texts of the user's input."""
    lines = _lines(texts)
    found = {name: rule(lines) for name, rule in _RULES.items()}
    is_lead = any(found[name] for name in ("name", "email", "phone", "company", "intent", "demo_datetime"))
    filled = {
        **found,
        "fit": _fit(found),
        "smart_notification": _notification(found),
        "nothing_found": None if is_lead else "The customer says neither who they are nor what they want.",
    }
    return {name: filled.get(name) for name in schema["properties"]}


def _lines(texts: Sequence[str]) -> list[Line]:
    """Find the customer's lines in the input."""
    found = []
    for row in "\n".join(texts).splitlines():
        try:
            said = json.loads(row)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict) and said.get("from") == "customer" and isinstance(said.get("n"), int):
            found.append(Line(said["n"], str(said.get("at") or ""), str(said.get("text") or "")))
    return found


def _told(value: Any, line: Line, confidence: float = 0.9, **more: str) -> Json:
    return {"value": value, "confidence": confidence, "messages": [line.number], **more}


def _last(lines: Sequence[Line], look: Callable[[str], str | None], confidence: float = 0.9) -> Json | None:
    """Take what was said last: who corrects themselves means the later."""
    for line in reversed(lines):
        if value := look(line.text):
            return _told(value, line, confidence)
    return None


def _first(lines: Sequence[Line], look: Callable[[str], Any], confidence: float = 0.8) -> Json | None:
    for line in lines:
        if value := look(line.text):
            return _told(value, line, confidence)
    return None


def _email(text: str) -> str | None:
    found = _EMAIL.findall(text)
    return found[-1].rstrip(".") if found else None


def _phone(text: str) -> str | None:
    found = _PHONE.findall(_EMAIL.sub(" ", text))
    return found[-1].strip() if found else None


def _name(text: str) -> str | None:
    found = _NAMES.search(text)
    return found[1].rstrip(".") if found else None


def _company(text: str) -> str | None:
    for pattern in _COMPANIES:
        for found in pattern.finditer(text):
            name = found[1].rstrip(".")
            if not _NOT_COMPANIES.match(name) and name != _name(text):
                return str(name)
    return None


def _intent(text: str) -> str | None:
    found = _INTENT.search(text)
    words = found[1].replace(",", " ").split()[:_MOST_WORDS] if found else []
    return " ".join(words) or None


def _urgency(text: str) -> int | None:
    return next((score for score, pattern in _URGENCY if pattern.search(text)), None)


def _budget(text: str) -> int | None:
    if _POOR.search(text):
        return 1
    sums = [_amount(found) for found in _MONEY.finditer(text)]
    if not sums:
        return None
    return 3 if max(sums) >= _LARGE else 2


def _amount(found: re.Match[str]) -> float:
    digits = re.sub(r"\D", "", re.sub(r"[.,]\d{1,2}$", "", found[1] or found[3]))
    return float(digits or 0) * (_LARGE if found[2] or found[4] else 1)


def _engagement(lines: Sequence[Line]) -> Json | None:
    if not lines:
        return None
    many = 3 if len(lines) > 3 else 2 if len(lines) > 1 else 1
    return {**_told(many, lines[-1], 0.7), "messages": [line.number for line in lines[-3:]]}


def _demo(lines: Sequence[Line]) -> Json | None:
    for line in reversed(lines):
        if _MEETING.search(line.text) and (found := lead_times.read(line.text, written_at=line.at)):
            return _told(found.local, line, source_text=found.words)
    return None


_RULES: dict[str, Callable[[Sequence[Line]], Json | None]] = {
    "name": lambda lines: _last(lines, _name),
    "email": lambda lines: _last(lines, _email, 0.95),
    "phone": lambda lines: _last(lines, _phone),
    "company": lambda lines: _last(lines, _company, 0.8),
    "intent": lambda lines: _first(lines, _intent),
    "urgency": lambda lines: _first(lines, _urgency),
    "budget": lambda lines: _first(lines, _budget),
    "engagement": _engagement,
    "demo_datetime": _demo,
}


def _fit(found: dict[str, Json | None]) -> Json | None:
    intent = found["intent"]
    if intent is None:
        return None
    return {**intent, "value": 3 if found["demo_datetime"] else 2, "confidence": 0.6}


def _notification(found: dict[str, Json | None]) -> str | None:
    said = {name: str(each["value"]) for name, each in found.items() if each}
    who = said.get("name") or said.get("company") or said.get("email")
    if not who and "intent" not in said:
        return None
    of = f" of {said['company']}" if "company" in said and "name" in said else ""
    wants = f" is interested in: {said['intent']}." if "intent" in said else " left contact data."
    demo = f" Wants a demo at {said['demo_datetime']}." if "demo_datetime" in said else ""
    return f"{who or 'Somebody'}{of}{wants}{demo}"
