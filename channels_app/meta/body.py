"""Reads a webhook's bytes into JSON that Postgres can keep."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from channels_app.meta.types import Parsed, Problem
from config.lib.texts import storable

# What Postgres refuses, as it stands in the bytes: U+0000 and surrogates, of which lone ones are refused.
_SUSPECT = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)


# Meta's bodies are about a dozen levels deep; far more would break whoever walks through them next.
MAX_DEPTH = 100
# Meta gives no limit; several hundred were seen, and an index of Postgres holds 2,700 bytes.
MAX_ID_LENGTH = 600
# As seconds this is the year 5138, as milliseconds 1973.
_MILLISECONDS = 100_000_000_000


class UnreadableError(Exception):
    """The body is no JSON object, or none that could be kept."""


def read(raw: bytes) -> dict[str, object]:
    """
    Parse a webhook body; what Postgres cannot keep becomes U+FFFD in strings and null among numbers.

    :raises UnreadableError: if it is not a JSON object, nests too deeply, or holds an absurdly long number
    """
    try:
        body = json.loads(raw.decode("utf-8-sig"), parse_constant=_nothing, parse_float=_finite)
        # Fewer brackets than levels cannot nest too deeply, and a look at the bytes costs nothing.
        if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deep(body):
            raise UnreadableError("nested too deeply")
        if _SUSPECT.search(raw):
            body = _clean(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(type(error).__name__) from error
    if not isinstance(body, dict):
        raise UnreadableError(type(body).__name__)
    return body


def each(value: dict[str, object], name: str, parsed: Parsed, *, of: str = "") -> Iterator[dict[str, object]]:
    """
    Go through the objects in the list `value[name]`; whatever else stands there becomes a problem.

    No list at all is none; `of` is the phone_number_id the problems belong to.
    """
    items = value.get(name)
    if items is not None and not isinstance(items, list):
        parsed.problems.append(Problem(reason=f"{name}: not a list", item=items, phone_number_id=of))
        return
    for item in items or ():
        if isinstance(item, dict):
            yield item
        else:
            parsed.problems.append(Problem(reason=f"{name}: not an object", item=item, phone_number_id=of))


def moment(value: object, *, now: datetime) -> datetime:
    """Read unix seconds or milliseconds, as text or number; garbage, and what is to come, becomes now."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return now
    try:
        seconds = float(value)
        if seconds > _MILLISECONDS:
            seconds /= 1000
        when = datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return now
    # Their clock may be a little ahead of ours.
    return when if seconds > 0 and when <= now + timedelta(minutes=5) else now


def _nothing(_constant: str) -> None:
    """Read NaN and Infinity, which jsonb does not know."""


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _is_deep(body: object) -> bool:
    level: list[object] = [body]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _clean(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
