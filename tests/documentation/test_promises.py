"""Every promise of the pages in promises.toml has a test, and so has every error and every type of event."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.models import Event
from tests.documentation.test_errors import headings
from tests.house.test_rules import files
from tests.rig import PROJECT

DOCUMENTATION = PROJECT / "documentation"
PAGES = tomllib.loads((Path(__file__).parent / "promises.toml").read_text())
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.) ", re.MULTILINE)


def text_of(page: str) -> str:
    """Return a page without code, what is generated, and sections that other tests walk."""
    text = (DOCUMENTATION / page).read_text()
    text = re.sub(r"<!-- reference: .*?<!-- /reference -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    if section := PAGES[page].get("walked"):
        before, _, rest = text.partition(f"\n## {section}\n")
        text = before + "\n## " + rest.partition("\n## ")[2]
    if page == "errors.md":
        # Each code has a section of its own.
        text = text.partition("\n## ")[0]
    return text


def units(page: str) -> Iterator[str]:
    """Yield each paragraph, list item and table row, on one line."""
    for block in re.split(r"\n\s*\n", text_of(page)):
        lines = [line.strip() for line in block.strip().splitlines()]
        if not lines or lines[0].startswith("#"):
            continue
        if lines[0].startswith("|"):
            yield from lines[2:]
        elif _ITEM.match(lines[0]):
            text = "\n".join(lines)
            yield from (" ".join(item.split()) for item in _ITEM.split(text) if item.strip())
        else:
            yield " ".join(lines)


def pieces_of(page: str) -> list[str]:
    return [*PAGES[page]["promises"], *PAGES[page]["advice"]]


def joined(page: str) -> str:
    return " ".join((DOCUMENTATION / page).read_text().split())


def names_of_tests(path: str) -> set[str]:
    """Return the names of a file's tests and classes of tests, as pytest writes them."""
    found = set()
    for node in ast.parse((PROJECT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
            found |= {node.name} | {f"{node.name}::{method}" for method in methods}
    return found


def words_of_tests() -> set[str]:
    """Return every string of the tests outside of tests/documentation."""
    return {
        node.value
        for path in files("*.py", below=PROJECT / "tests")
        if path.parent.name != "documentation"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_promise_is_on_its_page(page):
    text = joined(page)

    assert [piece for piece in pieces_of(page) if piece not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_paragraph_item_and_row_is_a_promise_with_tests_or_advice(page):
    pieces = pieces_of(page)

    assert [unit for unit in units(page) if not any(piece in unit for piece in pieces)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_named_test_exists(page):
    promises = PAGES[page]["promises"]
    named = sorted({name for tests in promises.values() for name in tests})

    missing = [
        name for name in named if name.partition("::")[2] not in names_of_tests(name.partition("::")[0])
    ]

    assert missing == []
    assert all(promises.values())


def test_every_code_of_an_error_is_known_to_a_test():
    assert headings() - words_of_tests() == set()


def test_every_type_of_event_is_known_to_a_test():
    assert set(Event.Type.values) - words_of_tests() == set()
