"""
What a field of a lead may hold, whoever says so: the model, or a person who corrects it.

Each function gives the value as it is kept, or None where there is nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumber, PhoneNumberFormat

from config.lib.texts import timestamp
from extraction import cleaning

Value = str | int | datetime | None
LONGEST = {"name": 100, "email": 255, "phone": 20, "company": 255, "intent": 100}
_LETTER = re.compile(r"[^\W\d_]")
_PHONE = re.compile(r"\+?[\d\s()./-]{6,}")
# A number longer than this is none, and is not worth parsing.
_LONGEST_WRITTEN_PHONE = 60


class UnfitValueError(ValueError):
    """A field cannot hold this; `code` is for machines, `detail` for people, the value in neither."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a customer writes from: their own number as `+…`, and the country of numbers without prefix."""

    phone: str = ""
    region: str = ""


def as_json(value: Value) -> str | int | None:
    """Return a value as JSON, a time in UTC."""
    return timestamp(value) if isinstance(value, datetime) else value


def name(text: str) -> str | None:
    """
    Take a person's name.

    :raises UnfitValueError: if it is too long, has no letters, or is an address, a link or a number
    """
    line = _short("name", cleaning.meant(text))
    if line and (not _LETTER.search(line) or _is_contact(line)):
        raise UnfitValueError("not_a_name", "This is not the name of a person.")
    return line or None


def company(text: str) -> str | None:
    """
    Take a company's name.

    :raises UnfitValueError: if it is too long, an e-mail address or a link
    """
    line = _short("company", cleaning.meant(text))
    if line and ("@" in line or cleaning.without_urls(line) != line):
        raise UnfitValueError("not_a_company", "This is not the name of a company.")
    return line or None


def intent(text: str) -> str | None:
    """Take what a customer wants, without links, cut where it is too long."""
    return cleaning.sentence(text, longest=LONGEST["intent"]) or None


def email(text: str) -> str | None:
    """
    Take an e-mail address; whether it exists is not looked up.

    :raises UnfitValueError: if it is none
    """
    line = _short("email", cleaning.meant(text))
    if not line:
        return None
    try:
        address = validate_email(line, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError as error:
        raise UnfitValueError("not_an_email", "This is not a valid e-mail address.") from error
    return _short("email", address)


def phone(text: str, place: Place) -> str | None:
    """
    Take a phone number, kept as `+…` (E.164).

    :raises UnfitValueError: if there is no such number
    """
    line = cleaning.meant(text)
    if not line:
        return None
    if place.phone and _digits(line) == _digits(place.phone):
        # The channel vouches for it, also where it is written in a way that is none of the country's.
        return _short("phone", f"+{_digits(line)}")
    number = _parsed(line, place.region)
    if number is None or not phonenumbers.is_valid_number(number):
        raise UnfitValueError("not_a_phone_number", "This is not a valid phone number.")
    return _short("phone", phonenumbers.format_number(number, PhoneNumberFormat.E164))


def score(number: object) -> int | None:
    """
    Take a score from 1 to 3.

    :raises UnfitValueError: if it is none
    """
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 3:
        raise UnfitValueError("not_a_score", "The score must be 1, 2 or 3.")
    return number


def text_rules(place: Place) -> dict[str, Callable[[str], str | None]]:
    """Return the rule of each text field."""
    by_field: dict[str, Callable[[str], Any]] = {
        "name": name,
        "email": email,
        "phone": lambda text: phone(text, place),
        "company": company,
        "intent": intent,
    }
    return by_field


def _short(field: str, text: str) -> str:
    if len(text) > LONGEST[field]:
        raise UnfitValueError("too_long", f"The value is longer than {LONGEST[field]} characters.")
    return text


def _is_contact(line: str) -> bool:
    return "@" in line or cleaning.without_urls(line) != line or bool(_PHONE.fullmatch(line))


def _digits(text: str) -> str:
    """Return the digits of a number, those of other scripts converted to ASCII."""
    return "".join(str(int(character)) for character in text if character.isdecimal())


def _parsed(text: str, region: str) -> PhoneNumber | None:
    if len(text) > _LONGEST_WRITTEN_PHONE:
        return None
    try:
        return phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException:
        return None
