"""
Takes one customer out of the body of a webhook that may hold several: what is left stays readable.

A part of a list goes with everything that names the customer; what is left of the body are the others' parts.
"""

import base64
import json
from collections.abc import Collection
from typing import Any

from channels_app import spool
from channels_app.meta.body import UnreadableError, read
from config.lib.texts import storable

# A part that no longer holds anything.
_NOTHING = object()


def names(raw: bytes, needles: Collection[str]) -> bool:
    """Check whether a body names any of the ids: as it is, or in the way JSON writes it."""
    return any(needle.encode() in raw or _escaped(needle) in raw for needle in needles)


def without(raw: bytes, needles: Collection[str], *, source: str) -> bytes | None:
    """
    Return a body without the parts that name any of the ids; None if nothing is left of it.

    A body that cannot be read, or that names them outside of any list, goes as a whole.
    """
    if source == spool.ENTRY:
        return _without_in_entry(raw, needles)
    try:
        parsed = read(raw)
    except UnreadableError:
        return None
    left = _without(parsed, needles)
    if left is _NOTHING or not _holds_something(left):
        return None
    return json.dumps(left, separators=(",", ":")).encode()


def _without_in_entry(raw: bytes, needles: Collection[str]) -> bytes | None:
    try:
        waiting = spool.decode(raw)
        entry = json.loads(raw)
    except (spool.UndecodableError, ValueError):
        return None
    left = without(waiting.raw, needles, source=waiting.source)
    if left is None:
        return None
    return json.dumps({**entry, "raw": base64.b64encode(left).decode()}).encode()


def _without(value: Any, needles: Collection[str]) -> Any:
    """Return a value without what names an id; _NOTHING if it names one itself."""
    if isinstance(value, list):
        kept = [_without(item, needles) for item in value]
        return [item for item in kept if item is not _NOTHING]
    if isinstance(value, dict):
        cleaned = {}
        for key, item in value.items():
            left = _without(item, needles)
            if left is _NOTHING or _mentions(str(key), needles):
                return _NOTHING
            cleaned[key] = left
        return cleaned
    return _NOTHING if _mentions(str(value), needles) else value


def _mentions(text: str, needles: Collection[str]) -> bool:
    return any(needle in text for needle in needles)


def _holds_something(body: Any) -> bool:
    """Check whether any message, status or event is left: a list with an object that is not a mere frame."""
    if isinstance(body, dict):
        for key, item in body.items():
            if key in {"entry", "changes", "value"}:
                if _holds_something(item):
                    return True
            elif key != "contacts" and isinstance(item, list) and item:
                return True
        return False
    return any(_holds_something(item) for item in body) if isinstance(body, list) else False


def _escaped(needle: str) -> bytes:
    return json.dumps(storable(needle))[1:-1].replace("/", "\\/").encode()
