"""The OpenAPI document is whole: routes, words, examples, errors."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from config.lib.api.problems import MEDIA_TYPE
from tests.api import document
from tests.api.document import Operation
from tests.documentation.test_errors import headings
from tests.house.test_rules import all_routes

# Routes that are pages or files, and no operations.
PAGES = re.compile(
    r"(admin|docs)?$|(admin|docs)/.*|schema(/redoc|/openapi\.(json|yaml))?$"
    r"|demo$|widget\.js$|webchat/<slug:phone_number_id>$|meta/data_deletion(/<slug:code>)?$"
)
OPERATIONS = [pytest.param(found, id=found.operation_id) for found in document.operations()]
PROTECTED = [pytest.param(found, id=found.operation_id) for found in document.protected()]
_HERE = "urn:document"


def paths() -> set[str]:
    """Give the routes that are operations, written as in the document."""
    found = {route for route, _ in all_routes()}
    return {"/" + re.sub(r"<(\w+:)?(\w+)>", r"{\2}", route) for route in found if not PAGES.match(route)}


def contents(operation: Operation) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give everything that has examples: where, the direction, the content."""
    for media_type, content in operation.told.get("requestBody", {}).get("content", {}).items():
        yield f"request, {media_type}", "request", content
    for status, response in operation.told["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield f"{status}, {media_type}", "response", content


def faults(schema: dict[str, Any], value: Any, *, direction: str) -> list[str]:
    whole = DRAFT202012.create_resource(_as_seen(document.document(), direction))
    registry = Registry().with_resource(_HERE, whole)
    rooted = _rooted(_as_seen(schema, direction))
    validator = Draft202012Validator(rooted, registry=registry, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


def _as_seen(found: Any, direction: str) -> Any:
    """Leave out what is only read, or only written; in an answer nothing may stand that is not described."""
    if isinstance(found, list):
        return [_as_seen(member, direction) for member in found]
    if not isinstance(found, dict):
        return found
    hidden = "readOnly" if direction == "request" else "writeOnly"
    seen = {name: _as_seen(member, direction) for name, member in found.items()}
    if isinstance(seen.get("properties"), dict) and seen.get("type") == "object":
        gone = {
            name
            for name, member in seen["properties"].items()
            if isinstance(member, dict) and member.get(hidden)
        }
        seen["properties"] = {name: member for name, member in seen["properties"].items() if name not in gone}
        seen["required"] = [name for name in seen.get("required", []) if name not in gone]
        # A problem may have members of its own.
        if "correlation_id" not in seen["properties"]:
            seen.setdefault("additionalProperties", False)
    return seen


def _rooted(found: Any) -> Any:
    if isinstance(found, list):
        return [_rooted(member) for member in found]
    if isinstance(found, dict):
        return {
            name: _HERE + member if name == "$ref" and isinstance(member, str) else _rooted(member)
            for name, member in found.items()
        }
    return found


class TestDocument:
    def test_is_made_without_a_warning(self, tmp_path):
        target = tmp_path / "openapi.yaml"

        call_command("spectacular", validate=True, fail_on_warn=True, file=str(target))

        assert target.stat().st_size

    def test_has_every_route_and_no_other(self):
        assert set(document.document()["paths"]) == paths()

    def test_names_every_operation_once(self):
        names = [operation.operation_id for operation in document.operations()]

        assert len(names) == len(set(names))
        assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []

    def test_leaves_public_only_what_is_written_down(self):
        public = {found.operation_id for found in document.operations() if not found.told.get("security")}

        assert public == set(document.PUBLIC)

    def test_explains_every_error_it_names(self):
        named = {
            code
            for operation in document.operations()
            for status in operation.told["responses"]
            for code in operation.problems(int(status))
        }

        assert named - headings() == set()

    def test_leads_from_what_was_made_to_what_can_be_done_with_it(self):
        known = {operation.operation_id: operation for operation in document.operations()}
        made = [
            link
            for operation in known.values()
            for response in operation.told["responses"].values()
            for link in response.get("links", {}).values()
        ]

        assert {link["operationId"] for link in made} >= {"get_user", "revoke_api_key"}
        for link in made:
            assert set(link["parameters"]) == set(known[link["operationId"]].names)


class TestOperation:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_says_what_it_does(self, operation):
        assert operation.told["summary"]
        assert operation.told["description"]
        assert len(operation.told["tags"]) == 1
        assert operation.told["tags"][0] in {tag["name"] for tag in document.document()["tags"]}

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_shows_an_example_of_everything_it_takes_and_gives(self, operation):
        for where, _, content in contents(operation):
            assert content.get("examples"), where

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_shows_examples_that_fit(self, operation):
        found = {
            f"{where}, {name}": wrong
            for where, direction, content in contents(operation)
            for name, example in content.get("examples", {}).items()
            if (wrong := faults(content["schema"], example["value"], direction=direction))
        }

        assert found == {}

    @pytest.mark.parametrize("operation", PROTECTED)
    def test_tells_its_limit_and_what_may_go_wrong(self, operation):
        assert operation.told["x-rate-limit"]["requests"] > 0
        assert set(operation.told["responses"]) >= {"400", "401", "429", "500", "503"}
        for status, response in operation.told["responses"].items():
            if not document.is_success(status):
                assert operation.problems(int(status)), status
                assert set(response["content"]) == {MEDIA_TYPE}

    @pytest.mark.parametrize("operation", PROTECTED)
    def test_explains_its_parameters(self, operation):
        for parameter in operation.told.get("parameters", []):
            if parameter["in"] != "path":
                assert parameter.get("description"), parameter["name"]
            schema = parameter["schema"]
            if schema.get("type") == "string" and "enum" not in schema and "format" not in schema:
                assert "maxLength" in schema or "pattern" in schema, parameter["name"]
