"""widget.js: the parts in `widget/`, joined into one function, with their words and styles."""

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache

from channels_app.webchat.texts import WIDGET, WORDS

# In this order: a part uses those above it when it begins.
PARTS = (
    "base",
    "memory",
    "markdown",
    "calls",
    "sessions",
    "log",
    "outbox",
    "inbox",
    "pictures",
    "colours",
    "rows",
    "composer",
    "panel",
    "main",
    "start",
)
# White space beside these means nothing, and beside one + or -, but not between two, which would become one
# operator; nor in what stands before them here, texts and regular expressions.
_SPACES = re.compile(
    r"""("(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`"""
    r"""|(?:(?<=[=,:?&|]\ )|(?<=[(!])|(?<=return\ ))/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])+/)"""
    r"""|\s*([{}()\[\];,<>=*%&|?:!.^])\s*|(?<=[\w)\]"`])\s([+-])\s(?=[\w(\["`])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Script:
    """The file as it is sent."""

    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(maxsize=1)
def script() -> Script:
    """Join the widget's parts."""
    constants = {"WORDS": WORDS, "STYLES": _squeezed_styles((WIDGET / "widget.css").read_text())}
    lines = ['(function () {\n"use strict";']
    lines += [
        f"const {name} = {json.dumps(value, separators=(',', ':'))};" for name, value in constants.items()
    ]
    plain = squeezed_code("\n".join([*lines, source(), "})();\n"])).encode()
    etag = hashlib.sha256(plain).hexdigest()[:32]
    return Script(plain, gzip.compress(plain, compresslevel=9, mtime=0), etag)


def source() -> str:
    """Read the parts, in order."""
    return "\n".join((WIDGET / f"{part}.js").read_text() for part in PARTS)


def squeezed_code(code: str) -> str:
    """Leave out comments, indents and needless spaces; no text in the parts holds what begins a comment."""
    code = re.sub(r"/\*\*.*?\*/", "", code, flags=re.DOTALL)
    code = re.sub(r"^[ \t]*//.*\n", "", code, flags=re.MULTILINE)
    code = re.sub(r"^[ \t]+|[ \t]+$|\n(?=\s*\n)", "", code, flags=re.MULTILINE)
    return _SPACES.sub(lambda match: match[1] or match[2] or match[3], code)


def _squeezed_styles(styles: str) -> str:
    styles = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", styles))
    return re.sub(r" ?([{};,]) ?|(?<=:) | (?=!)", r"\1", styles).replace(";}", "}")
