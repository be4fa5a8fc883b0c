"""What a diagnosis is made of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much a finding matters: a problem keeps customers from being answered."""

    PROBLEM = "problem"
    WARNING = "warning"
    OK = "ok"


class Remedy(StrEnum):
    """An action of the admin that helps."""

    REGISTER = "register"
    EDIT_NUMBER = "edit_number"
    CREATE_AGENT = "create_agent"
    EDIT_AGENT = "edit_agent"
    IMPORT_PROMPT = "import_prompt"
    GRANT = "grant"
    CREATE_KEY = "create_key"
    RESUME = "resume"
    SEE_WAITING = "see_waiting"
    SEE_FAILED = "see_failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one part; for all but `ok` the action that helps, and the admin's for it."""

    part: str
    level: Level
    text: str
    action: str = ""
    remedy: Remedy | None = None
    # The row that the remedy is for, where it is not the number.
    row: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as `manage.py diagnose --json` prints it."""
        return {"part": self.part, "level": self.level.value, "text": self.text, "action": self.action}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings about a number: problems first, then warnings, then what is in order."""

    phone_number_id: str
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding | None:
        """Return the first problem or warning; None = everything is in order."""
        first = self.findings[0] if self.findings else None
        return first if first and first.level is not Level.OK else None


def ok(part: str, text: str) -> Finding:
    """Return the finding that a part is in order."""
    return Finding(part, Level.OK, text)


def ago(at: datetime | None, now: datetime) -> str:
    """Return a time in words: `3 hours ago`."""
    return "never" if at is None else f"{span(now - at)} ago"


def span(length: timedelta) -> str:
    """Return a length of time in words, in its largest unit."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
