"""What requests are checked with: strict about names and types, so that a typo is told and not ignored."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from config.lib.api.problems import field_error

UNKNOWN = field_error("unknown_field", "is not known here")
# So many unknown names are told, and so much of each.
MOST_NAMED = 50
_LONGEST_NAMED = 100


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know; for bodies and for query parameters."""

    is_strict = True

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
                raise ValidationError({name[:_LONGEST_NAMED]: [UNKNOWN] for name in unknown[:MOST_NAMED]})
        return super().to_internal_value(data)


class NothingInput(StrictSerializer):
    """An empty object."""


class TextField(serializers.CharField):
    """Text that is given as text: a number is no text."""

    def to_internal_value(self, data: Any) -> str:
        """
        Take a string.

        :raises ValidationError: for anything else
        """
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class EmailField(serializers.EmailField, TextField):
    """An e-mail address."""


class ChoiceField(serializers.ChoiceField):
    """One of some words."""

    def to_internal_value(self, data: Any) -> Any:
        """
        Take a string.

        :raises ValidationError: for anything else
        """
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    """A whole number that is given as a number."""

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

    def to_internal_value(self, data: Any) -> bool:
        """
        Give the boolean.

        :raises ValidationError: for anything else
        """
        if data not in {"true", "false"}:
            self.fail("invalid", input=data)
        return bool(data == "true")


class TimestampField(serializers.DateTimeField):
    """A moment, ISO 8601 with an offset; given back in UTC."""

    default_error_messages = {"naive": "Say which offset from UTC is meant, such as `Z`."}

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


class PageQuery(StrictSerializer):
    """What every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=200, default=50, help_text="How many entries a page has at most."
    )
    cursor = serializers.CharField(
        required=False,
        max_length=500,
        help_text="`next_cursor` of the page before; none for the first page.",
    )


def filters(query: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a list is narrowed to: all of its query but which page is wanted."""
    return {name: value for name, value in query.items() if name not in {"limit", "cursor"}}
