"""A text that the OpenAPI document allows is not refused because white space was trimmed from it."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.plumbing import ComponentRegistry
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView

from config.lib.api.schema import ProblemAutoSchema
from config.lib.api.serializers import StrictSerializer, TextField
from tests.api import document

# Of what Python's strip() takes, what JSON patterns know as white space and what they do not.
SPACES = (" ", "\n", "\t", "\xa0", "\u2003", "\x1c", "\x1e", "\x1f", "\x85")


def schema_of(serializer: StrictSerializer) -> dict[str, Any]:
    describer = ProblemAutoSchema()
    describer.registry = ComponentRegistry()
    describer.method, describer.path, describer.view = "POST", "/", APIView()
    describer.view.request = None  # type: ignore[assignment]
    described: dict[str, Any] = describer._map_serializer(serializer, "request")
    return described


def texts_of(serializer: StrictSerializer) -> Iterator[tuple[str, serializers.CharField, dict[str, Any]]]:
    """Yield the text fields, those within lists and dictionaries too, each with its schema."""
    properties = schema_of(serializer).get("properties", {})
    for name, whole in serializer.fields.items():
        field, described = whole, properties.get(name, {})
        while (child := getattr(field, "child", None)) is not None:
            field, described = child, described.get("items") or described.get("additionalProperties") or {}
        if isinstance(field, serializers.CharField):
            yield name, field, described


def candidates(field: serializers.CharField) -> Iterator[str]:
    """Yield texts with white space at their ends, of lengths at the limits of the field."""
    lengths = {1, 2, 8, field.min_length or 1, min(field.max_length or 64, 300)}
    for space in SPACES:
        for length in lengths:
            for stem in ("0", "a"):
                yield space * length
                yield stem * (length - 1) + space
                yield space + stem * (length - 1)


def is_accepted(field: serializers.CharField, text: str) -> bool:
    try:
        field.run_validation(text)
    except ValidationError:
        return False
    return True


def refused_by_trimming(field: serializers.CharField, schema: dict[str, Any]) -> list[str]:
    """Return texts that fit the schema and the field's own rules, and are refused once they are trimmed."""
    untrimmed = copy.deepcopy(field)
    untrimmed.trim_whitespace = False
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [
        text
        for text in candidates(field)
        if validator.is_valid(text) and is_accepted(untrimmed, text) and not is_accepted(field, text)
    ]


TEXTS = [
    pytest.param(field, schema, id=f"{one.__name__}.{name}")
    for one in document.serializer_classes()
    for name, field, schema in texts_of(one())
]


class TestTexts:
    def test_are_found(self):
        assert len(TEXTS) > 60

    @pytest.mark.parametrize(("field", "schema"), TEXTS)
    def test_that_fit_the_document_are_not_refused_for_white_space(self, field, schema):
        assert refused_by_trimming(field, schema) == []

    def test_of_a_length_or_pattern_that_trimming_breaks_are_noticed(self):
        class Careless(StrictSerializer):
            proof = TextField(min_length=64, max_length=64)
            code = serializers.RegexField(r"^[0a\s]{8}\Z")

        Careless.__module__ = "tests"

        broken = {name for name, field, schema in texts_of(Careless()) if refused_by_trimming(field, schema)}

        assert broken == {"proof", "code"}
