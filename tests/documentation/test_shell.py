"""Shell code of every page runs where it says: each variable has an origin, each command is a usual one."""

import re
from pathlib import Path

import pytest

from config.docs import markdown
from tests.house.test_rules import files
from tests.rig import PROJECT

QUICK_START = PROJECT / "documentation" / "README.md"
# On a slim Debian with what the quick start names: Python, make, curl (which brings openssl) and a shell.
COMMANDS = {
    *(
        "bash",
        "cat",
        "cd",
        "curl",
        "cut",
        "date",
        "echo",
        "export",
        "grep",
        "ls",
        "make",
        "openssl",
        "printf",
        "python3",
    ),
    *("sed", "sleep", "source"),
}
# Defined in one block, and used in the next.
FUNCTIONS = {"field"}
# Where the reader runs Postgres or Redis of their own, they have its client.
_CLIENTS = {"psql", "pg_dump", "pg_restore", "redis-cli", "nginx", "git", "apt-get", "cp"}
# Whoever operates it has what runs processes there, and what watches them.
_CLIENTS |= {"docker", "kubectl", "systemctl", "promtool"}
_VARIABLE = re.compile(r"\$\{?([A-Z_][A-Z0-9_]*)")
_SET = re.compile(r"(?:^|[\s;(])(?:export )?([A-Z_][A-Z0-9_]*)=", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[|;(]|&&|\|\|)\s*([A-Za-z_.][\w./-]*)", re.MULTILINE)


def pages() -> list:
    return [
        pytest.param(page, id=str(page.relative_to(PROJECT)))
        for page in sorted(files("*.md"))
        if any(blocks(page.read_text()))
    ]


def blocks(text: str) -> list[str]:
    return [token.content for token in markdown.parse(text) if token.type == "fence" and token.info == "sh"]


def commands(code: str) -> set[str]:
    """Return the words in the places of commands, without strings, comments, values and functions."""
    bare = re.sub(r"'[^']*'", "''", code.replace("\\\n", " "))
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: _substitutions(found[0]), bare)
    bare = re.sub(r"(^|\s)#.*$", "", bare, flags=re.MULTILINE)
    functions = set(re.findall(r"^(\w+)\(\)", bare, re.MULTILINE))
    # What is assigned is no command, but for a substitution.
    bare = re.sub(r"\b[A-Z_][A-Z0-9_]*=(?:(?=\$\()|\S*)", "", bare)
    found = _COMMAND.findall(bare)
    return {word for word in found if word not in functions and not word.startswith(".venv/bin/")}


def _substitutions(string: str) -> str:
    """Return the commands within a string in double quotes."""
    return " ".join(f"({inner})" for inner in re.findall(r"\$\(([^()]*)\)", string)) or '""'


def set_by_the_quick_start() -> set[str]:
    return {name for code in blocks(QUICK_START.read_text()) for name in _SET.findall(code)}


@pytest.mark.parametrize("page", pages())
def test_every_variable_is_set_or_named_on_its_page(page: Path):
    text = page.read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    known = {name for code in blocks(text) for name in _SET.findall(code)}
    # A variable is named as `NAME` alone; an example of its value may follow the `=`.
    known |= set(re.findall(r"`([A-Z_][A-Z0-9_]*)(?:=[^`]*)?`", prose))
    if "README.md#quick-start" in prose:
        known |= set_by_the_quick_start()

    used = {name for code in blocks(text) for name in _VARIABLE.findall(code)}

    assert used - known == set()


@pytest.mark.parametrize("page", pages())
def test_every_command_is_there_on_a_slim_debian(page: Path):
    used = {word for code in blocks(page.read_text()) for word in commands(code)}

    assert used - COMMANDS - _CLIENTS - FUNCTIONS == set()


def test_commands_of_strings_and_substitutions_are_found():
    code = 'A=$(uuidgen)\ncurl "$API/x" -H "Idempotency-Key: $(openssl rand -hex 8)" | jq .id && (xxd a)\n'

    assert commands(code) == {"uuidgen", "curl", "openssl", "jq", "xxd"}
