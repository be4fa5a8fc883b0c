"""A body of the largest size is answered with a short one, whatever is wrong in it."""

import json
from collections.abc import Iterator

import pytest
from rest_framework import serializers

from config.lib.api.failures import MOST_ERRORS
from config.lib.api.parsing import MOST_BYTES
from config.lib.api.serializers import DictField, ListField, StrictSerializer
from tests.factories import PromptFactory

LONGEST_ANSWER = 64 * 1024


def strict_serializers(parent: type[StrictSerializer] = StrictSerializer) -> Iterator[type[StrictSerializer]]:
    for child in parent.__subclasses__():
        yield child
        yield from strict_serializers(child)


def fields_with_entries() -> Iterator[tuple[str, serializers.Field]]:
    """Go through the lists and objects of all request bodies and queries."""
    for serializer in strict_serializers():
        for name, field in serializer().fields.items():
            if isinstance(field, serializers.ListField | serializers.DictField) and not field.read_only:
                yield f"{serializer.__name__}.{name}", field


class TestFields:
    def test_lists_and_objects_of_requests_check_their_length_first(self):
        found = dict(fields_with_entries())

        assert {"WebChatInput.allowed_origins", "WebChatInput.texts", "VersionInput.variables"} <= set(found)
        unbounded = [
            name
            for name, field in found.items()
            if not (
                (isinstance(field, ListField) and field.max_length is not None)
                or (isinstance(field, DictField) and field.max_entries)
            )
        ]
        assert unbounded == []

    def test_texts_of_requests_have_a_longest_length(self):
        unbounded = [
            f"{serializer.__name__}.{name}"
            for serializer in strict_serializers()
            for name, field in serializer().fields.items()
            if isinstance(field, serializers.CharField)
            and not field.read_only
            and field.max_length is None
            # Their form bounds these.
            and not isinstance(field, serializers.RegexField | serializers.UUIDField)
        ]

        assert unbounded == []


class TestAnswers:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("webhook_endpoints", {"url": "https://example.com", "types": [1] * 300_000}),
            ("webhook_endpoints", {"url": "https://example.com", "types": [{}] * 200_000}),
            ("phone_numbers", {"type": "webchat", "webchat": {"allowed_origins": [1] * 300_000}}),
            ("phone_numbers", {"type": "webchat", "webchat": {"texts": {f"{n}": 1 for n in range(80_000)}}}),
            ("prompts", {"name": "x", "instructions": "x", "variables": {f"{n}": 1 for n in range(80_000)}}),
            ("prompts", {f"{n}": 1 for n in range(80_000)}),
            ("prompts", {"name": [[]] * 100_000, "instructions": {f"{n}": 1 for n in range(30_000)}}),
            ("prompts", [1] * 300_000),
        ],
    )
    def test_wrong_entries_are_not_answered_one_by_one(self, business, user, path, body):
        assert len(json.dumps(body)) < MOST_BYTES

        answer = business.post(f"/users/{user.user_id}/{path}", body)

        assert answer.status_code == 400
        assert len(answer.content) < LONGEST_ANSWER
        assert len(answer.json().get("errors", [])) <= MOST_ERRORS

    def test_hundred_wrong_variables_are_answered_shortly(self, business, user):
        prompt = PromptFactory(user=user)
        variables = {f"v{n}": {"type": "string", "default": [], "description": []} for n in range(100)}

        answer = business.post(
            f"/users/{user.user_id}/prompts/{prompt.prompt_id}/versions",
            {"instructions": "x", "variables": variables},
        )

        assert (answer.status_code, len(answer.json()["errors"])) == (400, MOST_ERRORS)
