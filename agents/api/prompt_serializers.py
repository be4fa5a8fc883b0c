"""What a version of a prompt is made of, as the API describes it; `prompt_checks` has the last word."""

import re
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.prompt_variables import LONGEST_FILLED
from config.lib.api.problems import field_error
from config.lib.api.serializers import ChoiceField, DictField, IntegerField, StrictSerializer, TextField

LONGEST_INSTRUCTIONS = 100_000
MOST_VARIABLES = 100
_NAME_RULE = (
    "A variable's name must begin with a lower-case letter and can have up to 50 lower-case letters, "
    "digits and `_`."
)
_NAME = "^[a-z][a-z0-9_]{0,49}$"


class NumberField(serializers.FloatField):
    """A number that is given as a number."""

    default_error_messages = {
        "invalid": "This field must be a number.",
        "overflow": "This number is too large.",
    }

    def to_internal_value(self, data: Any) -> float:
        """
        Take a number.

        :raises ValidationError: for anything else
        """
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            return float(data)
        except OverflowError:
            self.fail("invalid")
            raise


class ReasoningSerializer(StrictSerializer):
    """How long the model may think."""

    effort = ChoiceField(
        choices=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        help_text="OpenAI's documentation says which model supports which.",
    )


class AnswerTextSerializer(StrictSerializer):
    """What the answer's text is like."""

    verbosity = ChoiceField(choices=("low", "medium", "high"), help_text="How long answers are.")


class ParametersSerializer(StrictSerializer):
    """Further arguments of OpenAI's `responses.create`; what is not given is left to OpenAI."""

    temperature = NumberField(min_value=0, max_value=2, required=False, help_text="How varied answers are.")
    top_p = NumberField(min_value=0, max_value=1, required=False, help_text="Instead of `temperature`.")
    max_output_tokens = IntegerField(
        min_value=16, max_value=32_768, required=False, help_text="Limit for reasoning and answer together."
    )
    reasoning = ReasoningSerializer(required=False, help_text="Only for reasoning models.")
    text = AnswerTextSerializer(required=False, help_text="The format of the answer.")
    service_tier = ChoiceField(
        choices=("auto", "default", "flex", "priority"), required=False, help_text="How OpenAI serves it."
    )
    prompt_cache_key = TextField(
        max_length=64,
        required=False,
        trim_whitespace=False,
        validators=[
            RegexValidator(r"^[\x20-\x7e]+\Z", "A cache key can contain only printable ASCII characters.")
        ],
        help_text="Requests with the same key are more likely to hit OpenAI's cache.",
    )


@extend_schema_field(
    {"oneOf": [{"type": "string", "maxLength": 10_000}, {"type": "number"}, {"type": "boolean"}]}
)
class ValueField(serializers.Field[Any, Any, Any, Any]):
    """A text, a number, or true or false."""

    default_error_messages = {"invalid": "This field must be a string, a number or a boolean."}

    def to_internal_value(self, data: Any) -> Any:
        """
        Take it as it is.

        :raises ValidationError: for anything else, and for a number larger than any machine's
        """
        if isinstance(data, str):
            if len(data) > 10_000:
                self.fail("invalid")
            return data
        if not isinstance(data, bool | int | float):
            self.fail("invalid")
        try:
            float(data)
        except OverflowError:
            self.fail("invalid")
        return data

    def to_representation(self, value: Any) -> Any:
        """Return the value unchanged."""
        return value


class VariableSerializer(StrictSerializer):
    """A variable of a prompt."""

    type = ChoiceField(choices=("string", "number", "boolean", "date"), help_text="The type of `default`.")
    default = ValueField(
        help_text="The value to insert, of the given `type`; a date is a string such as `2026-12-24`."
    )
    description = TextField(max_length=1000, required=False, allow_blank=True, help_text="A text for people.")


class VariablesField(DictField):
    """The variables of a prompt by their names."""

    child = VariableSerializer()

    def __init__(self, **kwargs: Any) -> None:
        """Create the field."""
        super().__init__(max_entries=MOST_VARIABLES, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """
        Check the names, then the variables.

        :raises ValidationError: naming each name that is none
        """
        if isinstance(data, dict) and len(data) <= MOST_VARIABLES:
            wrong = [name for name in data if not re.fullmatch(_NAME, name)]
            if wrong:
                error = field_error(
                    "invalid",
                    _NAME_RULE,
                )
                raise serializers.ValidationError({name: [error] for name in wrong})
        return super().to_internal_value(data)


class VariablesFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Describes the names as well."""

    target_class = VariablesField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Describe the field."""
        described = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)  # noqa: SLF001
        return {**described, "propertyNames": {"pattern": _NAME}, "maxProperties": MOST_VARIABLES}


@extend_schema_field(ParametersSerializer)
class KeptParametersField(serializers.JSONField):
    """Parameters as they are kept."""


class VersionInput(StrictSerializer):
    """A new version of a prompt."""

    instructions = TextField(
        max_length=LONGEST_INSTRUCTIONS,
        trim_whitespace=False,
        help_text="What the model is told. `{{name}}` stands for a variable, one of `variables` or built in: "
        "`customer_name`, `channel`, `business_name`, `local_date`, `local_time`, `local_weekday`. Write "
        "`\\{{` for the characters themselves. What changes from talk to talk belongs at the end. "
        f"With the variables filled in at most {LONGEST_FILLED:,} characters.",
    )
    model = TextField(
        max_length=100,
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9_.:/-]+\Z", "A model's name can contain only letters, digits and `_.:/-`."
            )
        ],
        help_text="An OpenAI model; empty = the service's default.",
    )
    parameters = ParametersSerializer(required=False, help_text="Further parameters of the model.")
    variables = VariablesField(required=False, help_text="Its own variables, by name.")
