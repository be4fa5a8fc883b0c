"""Every code a problem document can have is a heading on the page its `type` points to."""

import ast
from collections.abc import Iterator
from http import HTTPStatus

from rest_framework import exceptions

from config.docs import markdown
from config.lib.api.problems import MEDIA_TYPE
from tests.house.test_rules import modules, name
from tests.rig import PROJECT

PAGE = PROJECT / "documentation" / "errors.md"
# Which argument of a call is the code.
PLACES = {"ProblemError": 1, "document": 1, "_answer": 1, "conflict": 0, "unprocessable": 0}
# What DRF raises by itself. The rest of its codes is given another name in config/lib/api/problems.py.
OF_DRF = {
    error.default_code
    for error in (
        exceptions.ParseError,
        exceptions.PermissionDenied,
        exceptions.NotFound,
        exceptions.MethodNotAllowed,
        exceptions.NotAcceptable,
        exceptions.UnsupportedMediaType,
        exceptions.Throttled,
    )
}


def codes() -> Iterator[tuple[str, str]]:
    """Find each code that is written down in a call, and where."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = PLACES.get(function)
            if place is None or len(node.args) <= place:
                continue
            # More than one where it is chosen by an `if`.
            for found in ast.walk(node.args[place]):
                if isinstance(found, ast.Constant) and isinstance(found.value, str):
                    yield found.value, name(path)


def described(client) -> set[str]:
    """Find each code that the API's own description names."""
    schema = client.get("/schema/openapi.json").json()
    return {
        code
        for methods in schema["paths"].values()
        for method, operation in methods.items()
        if method in {"get", "post", "patch", "put", "delete"}
        for response in operation["responses"].values()
        for code in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    }


def headings() -> set[str]:
    found = markdown.headings(markdown.parse(PAGE.read_text()))
    return {heading.anchor for heading in found if heading.level == 2}


class TestErrors:
    def test_are_explained_each_under_its_code(self):
        missing = {code: where for code, where in codes() if code not in headings()}

        assert missing == {}
        assert headings() >= OF_DRF

    def test_that_operations_name_are_explained(self, client):
        named = described(client)

        assert named
        assert named - headings() == set()

    def test_say_their_status_first(self):
        paragraphs = PAGE.read_text().split("\n## ")[1:]

        for paragraph in paragraphs:
            status = paragraph.partition("\n\n")[2].split(".")[0]
            assert status.isdigit(), paragraph
            assert HTTPStatus(int(status))
