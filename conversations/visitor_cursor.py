"""What a visitor has seen, as text they give back."""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

# How a message stood, in a letter.
_LETTERS = {"": "p", "received": "r", "failed": "f", "unavailable": "u"}
_WORDS = {letter: word for word, letter in _LETTERS.items()}
_LONGEST = 4000
_MOST = 2**31 - 1
_CONVERSATION = re.compile(r"[A-Za-z0-9_-]{1,50}")


class InvalidCursorError(ValueError):
    """It is no cursor that was given out."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one conversation was seen, and how those messages stood that may still change."""

    sequence_no: int = 0
    open: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in each conversation, and the newest message of the inbox that was seen."""

    places: dict[str, Place] = field(default_factory=dict)
    inbox: int = 0

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """
        Read what `text` wrote. It names conversations, but gives nobody a right to them.

        :raises InvalidCursorError: if it is none
        """
        if len(text) > _LONGEST or not text.isascii():
            raise InvalidCursorError("no cursor")
        try:
            fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            places = {_name(name): _place(place) for name, place in fields["c"].items()}
            return cls(places, _number(fields["i"], most=2**63 - 1))
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidCursorError("no cursor") from error

    def text(self) -> str:
        """Write it down."""
        fields = {
            "c": {
                name: [place.sequence_no, {str(n): _LETTERS[how] for n, how in place.open.items()}]
                for name, place in self.places.items()
            },
            "i": self.inbox,
        }
        raw = json.dumps(fields, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _name(name: str) -> str:
    if not _CONVERSATION.fullmatch(name):
        raise ValueError
    return name


def _place(place: Any) -> Place:
    sequence_no, still_open = place
    return Place(_number(sequence_no), {_number(int(n)): _WORDS[how] for n, how in still_open.items()})


def _number(number: Any, *, most: int = _MOST) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise ValueError
    return number
