"""Texts of a lead as they are kept: one line, nothing invisible, nothing that only stands in for nothing."""

import re
import unicodedata

from config.lib.texts import storable

# Joiners: invisible, but words of some languages are not written without them.
_JOINERS = "\u200c\u200d"
_NOTHING = {
    *("n/a", "n.a.", "none", "null", "nil", "undefined", "unknown", "not known", "not given", "not provided"),
    *("not mentioned", "not specified", "not stated", "unspecified", "no name", "tbd", "k.a.", "unbekannt"),
}
_LETTER_OR_DIGIT = re.compile(r"\w")

# Not bare names such as `acme.com`: companies are called so.
_URL = re.compile(
    r"(?:(?:https?|ftp|file|data|javascript|mailto|tel)\s?:|[a-z][a-z0-9+.-]{0,20}://|\bwww\.)\S*"
    r"|(?<![@\w.-])(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?:/\S*|:\d\S*|\?\S*)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]{0,200}>")
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()]{0,300}\)")
_MARKUP = str.maketrans(dict.fromkeys("<>`*[]{}|\\^", ""))


def one_line(text: str) -> str:
    """Put a text on one line, without control or invisible characters."""
    return " ".join("".join(_plain(character) for character in storable(text)).split())


def meant(text: str) -> str:
    """Put a text on one line; one that only says that there is nothing becomes empty."""
    line = one_line(text).strip(" \"'“”„«»")
    says_nothing = line.casefold().strip(" ()[].") in _NOTHING or line.casefold() in _NOTHING
    return "" if says_nothing or not _LETTER_OR_DIGIT.search(line) else line


def without_urls(text: str) -> str:
    """Take addresses of web pages out of a line."""
    return " ".join(_URL.sub(" ", text).split())


def sentence(text: str, *, longest: int) -> str:
    """Return plain words on one line: no web addresses, no markup; cut at a word if too long."""
    plain = _TAG.sub(" ", _LINK.sub(r"\1", one_line(text)))
    line = meant(without_urls(plain.translate(_MARKUP)))
    return line if len(line) <= longest else f"{line[: longest - 1].rsplit(' ', 1)[0]}…"


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return " "
    return "" if category[0] == "C" and character not in _JOINERS else character
