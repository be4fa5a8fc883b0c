"""Cuts a long reply into the parts a channel takes, at the ends of paragraphs, sentences or words."""

import re
from bisect import bisect_right
from collections.abc import Callable

from wcwidth import grapheme_boundary_before

# Best first; a part ends where a match does.
_ENDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\n[^\S\n]*\n",
        r"\n",
        r"[.!?\u2026\u061f\u06d4\u0964][\"'\u201d\u2019\u00bb)\]*_~]*(?=\s)|[\u3002\uff01\uff1f][\u300d\u300f\u201d]?",
        r"[^\S\u00a0\u202f]",
    )
)


def utf8_size(text: str) -> int:
    """Count the bytes a text takes in UTF-8."""
    return len(text.encode(errors="surrogatepass"))


def utf16_size(text: str) -> int:
    """Count the UTF-16 units a text takes, as JavaScript does: an emoji is two or more."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def split(text: str, *, limit: int, size: Callable[[str], int] = len) -> list[str]:
    """
    Cut a text into parts of at most `limit`, none of them empty.

    `size` measures a text: in characters, or with `utf8_size` or `utf16_size`; no part is empty.
    """
    parts = []
    rest = text.strip()
    while (fits := _fitting(rest, limit, size)) < len(rest):
        end = _end(rest, fits)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*parts, rest] if rest else parts


def _fitting(text: str, limit: int, size: Callable[[str], int]) -> int:
    """Count the characters at the start of the text that fit, at least one."""
    # No character is smaller than 1 in any measure.
    lengths = range(1, min(limit, len(text)) + 1)
    return max(bisect_right(lengths, limit, key=lambda length: size(text[:length])), min(1, len(text)))


def _end(text: str, fits: int) -> int:
    for pattern in _ENDS:
        ends = (match.end() for match in pattern.finditer(text, fits // 2, fits + 1))
        # A space just behind what fits is cut off anyway.
        usable = [end for end in ends if end <= fits or text[fits].isspace()]
        if usable:
            return usable[-1]
    # An accent, a flag or a family of emoji that are joined stays whole, unless it is longer than a part.
    return grapheme_boundary_before(text, fits + 1) or fits
