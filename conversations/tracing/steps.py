"""One step of a story."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from ulid import ULID


class Rank(IntEnum):
    """The order of steps that one transaction stored, and which have the same time."""

    RECEIVED = 0
    CLAIMED = 1
    CHARGED = 2
    REPLIED = 3
    POSTED = 4
    STATUS = 5
    REFUNDED = 6
    ENDED = 7
    EVENT = 8
    STATE = 9


@dataclass(frozen=True, slots=True)
class Step:
    """
    What happened at a moment: an event's name, a sentence about it, and its facts.

    `content` is what was written; it and phone numbers are only for people who ask for them.
    """

    at: datetime
    rank: Rank
    event: str
    sentence: str
    facts: dict[str, Any] = field(default_factory=dict)
    content: str = ""


def seconds(span: timedelta) -> str:
    """Return a span of time for people, such as `1.52 s`."""
    return f"{span.total_seconds():.2f} s"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, such as `2 parts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def made_at(identifier: str) -> datetime | None:
    """Return when an id of ours was made; None if it does not tell."""
    try:
        return ULID.from_str(identifier.partition("_")[2]).datetime
    except ValueError:
        return None
