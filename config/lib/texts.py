"""Text that Postgres and JSON can hold."""

from datetime import UTC, datetime


def storable(text: str) -> str:
    """Return a text with NUL and lone surrogates replaced by U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\ufffd")


def timestamp(moment: datetime) -> str:
    """Write a moment as the API does: ISO 8601 in UTC, with a `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
