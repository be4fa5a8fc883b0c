"""What requests are checked with: strict about names and types, so that a typo is told and not ignored."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty
from rest_framework.settings import api_settings

from config.lib.api.problems import field_error
from config.lib.texts import timestamp

# So many unknown names are told, and so much of each.
MOST_NAMED = 50
_LONGEST_NAMED = 100


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know; for bodies and for query parameters."""

    is_strict = True
    default_error_messages = {"invalid": "This must be a JSON object."}

    def run_validation(self, data: Any = empty) -> Any:
        """
        Check a body or a value; a body of `null` is refused as any other that is no object.

        :raises ValidationError: if it does not fit
        """
        if data is None and self.parent is None:
            raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: [self.error_messages["invalid"]]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        """
        Check the names, then the values.

        :raises ValidationError: naming unknown fields
        """
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name) for name in set(data) - known)
            if unknown:
                # Not all, so that a body made of nothing else is not given back as a larger one.
                raise ValidationError(
                    {
                        name[:_LONGEST_NAMED]: [unknown_name(name, known, kind=self._kind)]
                        for name in unknown[:MOST_NAMED]
                    }
                )
        return super().to_internal_value(data)

    @property
    def _kind(self) -> str:
        return str(self.context.get("kind", "field"))


def unknown_name(name: str, known: Iterable[str], *, kind: str) -> ErrorDetail:
    """Return the error of an unknown field or query parameter; it proposes the nearest known one."""
    near = difflib.get_close_matches(name[:_LONGEST_NAMED], sorted(known), n=1)
    proposal = f" Did you mean `{near[0]}`?" if near else ""
    return field_error("unknown_field", f"There is no {kind} with this name.{proposal}")


def is_id(*, most: int) -> RegexValidator:
    """Create the check of an id that a caller gives, of `most` characters at most."""
    return RegexValidator(
        rf"^[A-Za-z0-9_-]{{1,{most}}}\Z", "An id can contain only letters, digits, `_` and `-`."
    )


class NothingInput(StrictSerializer):
    """An empty object."""


class TextField(serializers.CharField):
    """Text that is given as text: a number is no text."""

    default_error_messages = {"invalid": "This field must be a string."}

    def to_internal_value(self, data: Any) -> str:
        """
        Take a string.

        :raises ValidationError: for anything else
        """
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ListField(serializers.ListField):
    """A list whose length is checked before its entries, so that there are no more errors than entries."""

    default_error_messages = {"not_a_list": "This field must be a list."}

    def to_internal_value(self, data: Any) -> list[Any]:
        """
        Check the length, then the entries.

        :raises ValidationError: if there are more than `max_length`, or for what an entry raises
        """
        if self.max_length is not None and isinstance(data, list) and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class DictField(serializers.DictField):
    """An object of `max_entries` names at most, which is checked before its values."""

    default_error_messages = {
        "max_length": "This field can have at most {max_entries} names.",
        "not_a_dict": "This field must be a JSON object.",
    }

    def __init__(self, *, max_entries: int, **kwargs: Any) -> None:
        """Create the field."""
        self.max_entries = max_entries
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """
        Check how many names there are, then the values.

        :raises ValidationError: if there are more than `max_entries`, or for what a value raises
        """
        if isinstance(data, dict) and len(data) > self.max_entries:
            self.fail("max_length", max_entries=self.max_entries)
        return super().to_internal_value(data)


class EmailField(serializers.EmailField, TextField):
    """An e-mail address."""


class ChoiceField(serializers.ChoiceField):
    """One of some words."""

    default_error_messages = {"invalid_choice": "This field must be one of {known}."}

    def to_internal_value(self, data: Any) -> Any:
        """
        Take a string.

        :raises ValidationError: for anything else
        """
        if data == "" and self.allow_blank:
            return data
        if not isinstance(data, str) or data not in self.choice_strings_to_values:
            self.fail("invalid_choice", known=", ".join(f"`{choice}`" for choice in self.choices))
        return self.choice_strings_to_values[data]


class IntegerField(serializers.IntegerField):
    """A whole number that is given as a number."""

    default_error_messages = {"invalid": "This field must be an integer."}

    def to_internal_value(self, data: Any) -> int:
        """
        Take an integer, or a float that is one (JSON knows no difference).

        :raises ValidationError: for anything else
        """
        if isinstance(data, bool) or not isinstance(data, int | float) or data != int(data):
            self.fail("invalid")
        return super().to_internal_value(int(data))


class FlagField(serializers.BooleanField):
    """True or false, and no other word for it."""

    default_error_messages = {"invalid": "This field must be `true` or `false`."}

    def to_internal_value(self, data: Any) -> bool:
        """
        Take a boolean.

        :raises ValidationError: for anything else
        """
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class QueryFlagField(serializers.BooleanField):
    """`true` or `false` in a query string, and no other word for it."""

    default_error_messages = {"invalid": "This field must be `true` or `false`."}

    def to_internal_value(self, data: Any) -> bool:
        """
        Return the boolean.

        :raises ValidationError: for anything else
        """
        if data not in {"true", "false"}:
            self.fail("invalid", input=data)
        return bool(data == "true")


class TimestampField(serializers.DateTimeField):
    """A moment, ISO 8601 with an offset; given back in UTC."""

    default_error_messages = {
        "invalid": "This field must be a time in ISO 8601, such as `2026-11-22T09:00:00Z`.",
        "naive": "Add an offset from UTC to this time, such as `Z`.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        """
        Take a moment.

        :raises ValidationError: if it is none, or has no offset
        """
        if not isinstance(value, str):
            self.fail("invalid", format="ISO 8601")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail("invalid", format="ISO 8601")
        if moment.tzinfo is None:
            self.fail("naive")
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail("invalid", format="ISO 8601")
            raise


class StoredTimestampField(serializers.DateTimeField):
    """A time that is stored as text within JSON, where earlier versions wrote UTC as `+00:00`."""

    def to_representation(self, value: Any) -> str:
        """Return it with a `Z`."""
        return timestamp(datetime.fromisoformat(value))


class PageQuery(StrictSerializer):
    """What every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=200, default=50, help_text="The maximum number of entries on a page."
    )
    cursor = serializers.CharField(
        required=False,
        max_length=500,
        help_text="`next_cursor` of the page before; leave it out for the first page.",
    )


def filters(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters of a list: its query without the page."""
    return {name: value for name, value in query.items() if name not in {"limit", "cursor"}}
