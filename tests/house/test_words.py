"""Names are the field's nouns, and docstrings begin with what is returned, checked or stored."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_rules import modules, name

PARTICIPLES = {"asked", "found", "given", "said", "shown", "talk", "talks", "told", "whoever"}
# A phrase of the field, not a participle in place of a noun.
PHRASES = re.compile(r"not_?found|given_up", re.IGNORECASE)
# Columns, members of JSON and what the model fills in: stored data and the API have these names.
STORED = {"told", "told_percent", "told_percent__lte", "told_unavailable_at", "nothing_found"}
# Modules whose names are still to be changed; a name here says which, and the list only gets shorter.
OPEN = (
    "agents/llm",
    "agents/openai_client",
    "billing/erasing",
    "channels_app/erasing",
    "channels_app/retention",
    "channels_app/tombstones",
    "config/lib/event_loop",
    "config/lib/jobs",
    "config/lib/progress",
    "config/lib/task_",
    "conversations/answering/",
    "conversations/erasing",
    "conversations/pending_deletions",
    "conversations/retention",
    "extraction/erasing",
    "extraction/retention",
    "privacy/",
    "simulator/",
)
VERBS = re.compile(r"(Give|Tell|Say|Have|Let)\b")


def words(identifier: str) -> set[str]:
    """Return the words of a name in snake_case or CamelCase."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", PHRASES.sub("", identifier))
    return set(spaced.lower().split("_"))


def identifiers(tree: ast.AST) -> Iterator[str]:
    """List the names that a module gives to functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.alias(asname=str(alias)):
                yield alias
            case ast.ExceptHandler(name=str(alias)):
                yield alias


def docstrings(tree: ast.AST) -> Iterator[str]:
    """List the docstrings of a module, its classes and its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def private_words(source: str) -> list[str]:
    names = set(identifiers(ast.parse(source))) - STORED
    return sorted(identifier for identifier in names if words(identifier) & PARTICIPLES)


MODULES = [
    pytest.param(path, id=name(path))
    for path in sorted(modules())
    if not name(path).startswith(OPEN) and "/migrations/" not in name(path)
]


@pytest.mark.parametrize("path", MODULES)
def test_names_are_no_participles(path):
    assert private_words(Path(path).read_text()) == []


@pytest.mark.parametrize("path", MODULES)
def test_docstrings_do_not_begin_with_give_tell_say_have_or_let(path):
    assert [text for text in docstrings(ast.parse(Path(path).read_text())) if VERBS.match(text)] == []


def test_participles_are_recognized_in_every_kind_of_name():
    source = """
def is_told(whoever): ...
class SaidError(Exception): ...
asked_at = row.shown_at
for found in rows: ...
import talks as TALKS
"""

    assert private_words(source) == [
        "SaidError",
        "TALKS",
        "asked_at",
        "found",
        "is_told",
        "shown_at",
        "whoever",
    ]


def test_phrases_and_stored_names_are_no_private_words():
    source = (
        "class KeyNotFoundError(Exception): ...\nnot_found = page_not_found = given_up = told_percent = 1"
    )

    assert private_words(source) == []


def test_modules_that_are_still_open_exist():
    paths = [name(path) for path in modules()]

    assert [start for start in OPEN if not any(path.startswith(start) for path in paths)] == []
