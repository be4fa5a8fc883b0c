"""Splits a long reply into the parts a channel takes, at the ends of paragraphs, sentences or words."""

_ENDS = ("\n\n", "\n", ". ", "! ", "? ", " ")


def split(text: str, *, limit: int) -> list[str]:
    """Cut a text into parts of at most `limit` characters, none of them empty."""
    parts = []
    rest = text.strip()
    while len(rest) > limit:
        end = _end(rest, limit)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*parts, rest] if rest else parts


def _end(text: str, limit: int) -> int:
    for mark in _ENDS:
        at = text.rfind(mark, limit // 2, limit)
        if at > 0:
            return at + len(mark.rstrip(" ")) if mark.strip() else at
    return limit
