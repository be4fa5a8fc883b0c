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


@dataclass(frozen=True, slots=True)
class Script:
    """The file as it is sent."""

    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(maxsize=1)
def script() -> Script:
    """Join the widget's parts."""
    constants = {"WORDS": WORDS, "STYLES": _squeezed((WIDGET / "widget.css").read_text())}
    lines = ['(function () {\n"use strict";']
    lines += [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    lines += [_without_comments((WIDGET / f"{part}.js").read_text()) for part in PARTS]
    plain = "\n".join([*lines, "})();\n"]).encode()
    etag = hashlib.sha256(plain).hexdigest()[:32]
    return Script(plain, gzip.compress(plain, compresslevel=9, mtime=0), etag)


def _without_comments(source: str) -> str:
    """Leave out comments and indents; no text in the parts goes over lines or holds what begins a comment."""
    source = re.sub(r"/\*\*.*?\*/", "", source, flags=re.DOTALL)
    source = re.sub(r"^[ \t]*//.*\n", "", source, flags=re.MULTILINE)
    return re.sub(r"^[ \t]+|[ \t]+$|\n(?=\s*\n)", "", source, flags=re.MULTILINE)


def _squeezed(styles: str) -> str:
    styles = re.sub(r"\s+", " ", styles)
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", styles)
