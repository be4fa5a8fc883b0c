"""Every code a problem document can have is a heading on the page its `type` points to."""

import ast
from collections.abc import Iterator
from http import HTTPStatus

from rest_framework import exceptions

from config.docs import markdown
from config.lib.api.problems import MEDIA_TYPE
from tests.api.sentences import is_sentence
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


def arguments(beyond: int = 0) -> Iterator[tuple[ast.expr, str]]:
    """Yield the argument that is the code of each problem, or one `beyond` it, and the module."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = PLACES.get(function)
            if place is not None and len(node.args) > place + beyond:
                yield node.args[place + beyond], name(path)


def codes() -> Iterator[tuple[str, str]]:
    """Find each code that is written down in a call, and where."""
    for argument, where in arguments():
        # More than one where it is chosen by an `if`.
        for found in ast.walk(argument):
            if isinstance(found, ast.Constant) and isinstance(found.value, str):
                yield found.value, where


def details() -> Iterator[tuple[str, str]]:
    """Find each detail that is written down beside a code, with `{}` for what is filled in, and where."""
    for argument, where in arguments(1):
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value, where
        elif isinstance(argument, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in argument.values]
            yield "".join(str(part) for part in parts), where


def described(client) -> dict[str, str]:
    """Find each code that the API's own description names, with its detail."""
    schema = client.get("/schema/openapi.json").json()
    return {
        code: example["value"]["detail"]
        for methods in schema["paths"].values()
        for method, operation in methods.items()
        if method in {"get", "post", "patch", "put", "delete"}
        for response in operation["responses"].values()
        for code, example in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {}).items()
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
        assert named.keys() - headings() == set()

    def test_details_of_all_errors_are_sentences(self, client):
        written = {**dict(details()), **{detail: code for code, detail in described(client).items()}}

        assert len(written) > 50
        assert {text: where for text, where in written.items() if not is_sentence(text)} == {}

    def test_say_their_status_first(self):
        paragraphs = PAGE.read_text().split("\n## ")[1:]

        for paragraph in paragraphs:
            status = paragraph.partition("\n\n")[2].split(".")[0]
            assert status.isdigit(), paragraph
            assert HTTPStatus(int(status))
