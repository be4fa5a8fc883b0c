"""
Writes documentation/configuration.md from `.env.example` and from how settings and Procfile read it.

`make configuration` does it; a test holds the page to it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]

PAGE = PROJECT / "documentation" / "configuration.md"
EXAMPLE = PROJECT / ".env.example"
SETTINGS = PROJECT / "config" / "settings.py"
_READ_IN_PYTHON = (
    SETTINGS,
    PROJECT / "config" / "retention.py",
    PROJECT / "simulator" / "environment.py",
    PROJECT / "simulator" / "__main__.py",
)
# Another name of APP_ENV, told beside it.
_ALIASES = {"NODE_ENV"}
_SECRETS = {"DATABASE_URL", "REDIS_URL", "EMAIL_URL", "OPENAI_API_KEY"}
_TYPES = {
    "str": "text",
    "secret": "secret",
    "secret_list": "secret",
    "int": "number",
    "bool": "true/false",
    "list": "list",
    "json": "JSON",
    "email_url": "URL",
}

HEAD = """\
# Configuration

Everything is configured by environment variables; a file `.env` beside `manage.py` is read too, and the shell
wins over it. A checkout needs none of them. With `APP_ENV=production` nothing secret has a default: the
service lists what is missing and does not start. An empty variable is the same as none.

Durations are milliseconds unless the name says otherwise. A *secret* must not be seen by others. A *list* has
commas between its entries. No default means: not set.

This page is made from `.env.example` by `make configuration`.
"""


@dataclass(frozen=True)
class Variable:
    """One variable: how it is read, what it is without being set, and what it means."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass
class Section:
    """Variables that belong together."""

    title: str
    variables: list[Variable] = field(default_factory=list)


def sections() -> list[Section]:
    """Read `.env.example`."""
    found: list[Section] = []
    comment: list[str] = []
    for line in EXAMPLE.read_text().splitlines():
        if heading := re.match(r"# --- (.+?) -+$", line):
            found.append(Section(heading[1]))
            comment = []
        elif variable := re.match(r"#([A-Z][A-Z0-9_]+)=(.*)$", line):
            name, default = variable.groups()
            found[-1].variables.append(Variable(name, type_of(name, default), default, " ".join(comment)))
            comment = []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# "))
        else:
            comment = []
    return found


def type_of(name: str, default: str) -> str:
    """Tell how a variable is read: by settings, or, if only the Procfile has it, as its default looks."""
    text = SETTINGS.read_text()
    if name in _SECRETS:
        return "secret"
    if read := re.search(rf'env\.(\w+)\(\s*"{name}"', text):
        return _TYPES[read[1]]
    looks = {r"\d{1,10}": "number", r"\{.*": "JSON", r".+,.+": "list"}
    return next((type_ for look, type_ in looks.items() if re.fullmatch(look, default)), "text")


def read_by_the_code() -> set[str]:
    """Name every variable that settings, the simulator and the Procfile read."""
    python = "\n".join(path.read_text() for path in _READ_IN_PYTHON)
    # `_value` and `_positive` are how the simulator reads.
    calls = r'(?:env\.\w+|value|_positive|environ\.get)\(\s*"([A-Z][A-Z0-9_]+)"'
    found = set(re.findall(calls, python))
    found |= set(re.findall(r"\$\{([A-Z0-9_]+)[:}]", (PROJECT / "Procfile").read_text()))
    return found - _ALIASES


def page() -> str:
    """Give the page."""
    return "\n".join([HEAD, *_lines()])


def _lines() -> Iterator[str]:
    for section in sections():
        yield f"## {section.title}\n"
        yield "| variable | type | default | meaning |"
        yield "|---|---|---|---|"
        for variable in section.variables:
            default = f"`{variable.default}`" if variable.default else ""
            yield f"| `{variable.name}` | {variable.type} | {default} | {_cell(variable.meaning)} |"
        yield ""


def _cell(meaning: str) -> str:
    marked = re.sub(r"(?<![`\w])([A-Z]+_[A-Z_]+|\w+://[^\s,;]*[\w/]|0\.0\.0\.0)", r"`\1`", meaning)
    text = marked.replace("|", "\\|").removeprefix("… ")
    return text[:1].upper() + text[1:] if meaning.startswith("… ") else text


def write(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page().rstrip() + "\n")


if __name__ == "__main__":
    write()
