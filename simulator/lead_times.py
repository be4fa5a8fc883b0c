"""Reads a time of day with its date from English words, reckoned from when they were written."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))? ?(?P<half>[ap]\.?m\.?)?(?!\w|[.,]?\d)"
_DAY = (
    r"(?P<near>today|tomorrow)|(?P<next>next )?(?P<weekday>" + "|".join(_DAYS) + r")"
    r"|(?P<day>\d{1,2})(?:st|nd|rd|th)? (?:of )?(?P<month>" + "|".join(_MONTHS) + r")"
    r"|(?P<iso>\d{4}-\d{2}-\d{2})"
)
# The day before the time, or the time before the day.
_PATTERNS = (
    re.compile(rf"\b(?:{_DAY})(?:,? at |,? | um | T|T)(?:at )?{_TIME}", re.IGNORECASE),
    re.compile(rf"\b(?:at )?{_TIME},? (?:on )?(?:{_DAY})\b", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A local time as `YYYY-MM-DDTHH:MM`, and the words it was read from."""

    local: str
    words: str


def read(text: str, *, written_at: str) -> Found | None:
    """Give the first time with a date in a text; `written_at` begins with a local ISO date and time."""
    try:
        now = datetime.fromisoformat(written_at[:16])
    except ValueError:
        return None
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if (moment := _moment(match, now)) is not None:
                return Found(f"{moment:%Y-%m-%dT%H:%M}", match[0])
    return None


def _moment(match: re.Match[str], now: datetime) -> datetime | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").replace(".", "").lower()
    if not half and match["minute"] is None:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    day = _day(match, now)
    if day is None or hour > 23 or minute > 59:
        return None
    return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  (local, as it is written)


def _day(match: re.Match[str], now: datetime) -> date | None:
    today = now.date()
    if match["near"]:
        return today + timedelta(days=match["near"].lower() == "tomorrow")
    if match["weekday"]:
        ahead = (_DAYS.index(match["weekday"].lower()) - today.weekday() - 1) % 7 + 1
        return today + timedelta(days=ahead)
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        found = today.replace(month=_MONTHS.index(match["month"].lower()) + 1, day=int(match["day"]))
        return found if found >= today else found.replace(year=found.year + 1)
    except ValueError:
        return None
