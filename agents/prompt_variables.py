r"""
Variables of a prompt: `{{name}}` in its instructions stands for a value.

Some are built in and filled from the talk at hand; a version may declare more, with a type and a default. For
the characters themselves write `\{{`. What changes from call to call, such as the time, belongs at the end of
the instructions: what stands before it, OpenAI can read from its cache.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils.timezone import now as current_time

# A customer's name is written by the customer and read by the model as part of its instructions: it is
# quoted, and short.
LONGEST_CUSTOMER_NAME = 60
LONGEST_BUSINESS_NAME = 255
# Instructions with their variables filled in, in characters: what a version may reach, and a request carry.
LONGEST_FILLED = 200_000
UNKNOWN = "(not known)"

# An escaped `{{`, a variable, or a `{{` that begins none.
MARK = re.compile(r"\\\{\{|\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}|\{\{")

# Quotes of every kind, brackets, and what prompts and Markdown use as markup. An apostrophe is part of names.
_MARKUP = re.compile(r"""["“”«»\u201e\u201f\u2039\u203a\uff02\u00b4`\\{}\[\]<>#*|=~]""")
_CHANNELS = {"whatsapp": "WhatsApp", "instagram": "Instagram", "webchat": "web chat"}

# The longest value of each built-in variable; those not named here have at most 20 characters.
_LONGEST_BUILT_IN = {"customer_name": LONGEST_CUSTOMER_NAME, "business_name": LONGEST_BUSINESS_NAME}
_LONGEST_OTHER = 20

# Literal text and names, in turn; it begins and ends with a literal.
Template = tuple[str, ...]


class FilledTooLongError(ValueError):
    """Instructions with their variables filled in are longer than LONGEST_FILLED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What built-in variables are filled from; `channel` is a number's type, `timezone` the business's."""

    customer_name: str = ""
    channel: str = ""
    business_name: str = ""
    timezone: str = "UTC"
    now: datetime = field(default_factory=current_time)

    @property
    def local(self) -> datetime:
        """The time at the business."""
        return self.now.astimezone(zone(self.timezone))


BUILT_IN: dict[str, Callable[[Context], str]] = {
    "customer_name": lambda context: _quoted(context.customer_name, LONGEST_CUSTOMER_NAME),
    "channel": lambda context: _CHANNELS.get(context.channel, context.channel),
    "business_name": lambda context: _one_line(context.business_name, LONGEST_BUSINESS_NAME),
    "local_date": lambda context: context.local.date().isoformat(),
    "local_time": lambda context: f"{context.local:%H:%M}",
    "local_weekday": lambda context: f"{context.local:%A}",
}


def template(instructions: str) -> Template:
    """Cut instructions into literal text and names of variables, in turn."""
    pieces: list[str] = []
    literal: list[str] = []
    seen = 0
    for mark in MARK.finditer(instructions):
        literal.append(instructions[seen : mark.start()])
        seen = mark.end()
        if mark[1]:
            # One object per name: thousands of places may have the same one.
            pieces += ["".join(literal), sys.intern(mark[1])]
            literal = []
        else:
            literal.append("{{")
    return (*pieces, "".join(literal) + instructions[seen:])


def fill(pieces: Template, *, own: Mapping[str, str], context: Context) -> str:
    """
    Join a template with its values; a value is inserted as it is, whatever it looks like.

    The length is counted before anything is built.

    :raises FilledTooLongError: if the result would be longer than LONGEST_FILLED
    """
    values = {name: _value(name, own, context) for name in set(pieces[1::2])}
    if _length(pieces, {name: len(value) for name, value in values.items()}) > LONGEST_FILLED:
        raise FilledTooLongError(f"Filled in, the instructions are longer than {LONGEST_FILLED} characters.")
    filled = list(pieces)
    filled[1::2] = [values[name] for name in pieces[1::2]]
    return "".join(filled)


def longest(pieces: Template, *, own: Mapping[str, str]) -> int:
    """Return how many characters a template can have when it is filled in, whatever the context."""
    return _length(pieces, {name: _longest_value(name, own) for name in set(pieces[1::2])})


def _length(pieces: Template, lengths: Mapping[str, int]) -> int:
    return sum(map(len, pieces[::2])) + sum(lengths[name] for name in pieces[1::2])


def _longest_value(name: str, own: Mapping[str, str]) -> int:
    if name in own:
        return len(own[name])
    if name in BUILT_IN:
        return _LONGEST_BUILT_IN.get(name, _LONGEST_OTHER)
    return len(name) + 4


def texts(variables: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Return the values of a version's own variables as they are put in."""
    return {name: _text(declared["default"]) for name, declared in variables.items()}


def _value(name: str, own: Mapping[str, str], context: Context) -> str:
    """Return a variable's value; an undeclared name (in a version older than variables) stays as it is."""
    if name in own:
        return own[name]
    if name in BUILT_IN:
        return BUILT_IN[name](context) or UNKNOWN
    return f"{{{{{name}}}}}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str, longest: int) -> str:
    """Return one short line in quotes, without any character that could end them or pass for markup."""
    line = _one_line(_MARKUP.sub(" ", text[: 4 * longest]), longest)
    return f'"{line}"' if line else ""


def _one_line(text: str, longest: int) -> str:
    """Take out what is no plain text: line breaks, control and invisible characters; and cut it."""
    plain = "".join(_plain(character) for character in text[: 4 * longest])
    return " ".join(plain.split())[:longest].rstrip()


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return " "
    return "" if category.startswith("C") else character


@lru_cache(maxsize=1000)
def zone(name: str) -> ZoneInfo:
    """Find a time zone; one that does not exist is UTC."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")
