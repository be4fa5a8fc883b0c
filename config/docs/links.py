"""Where the links of a page lead: written for GitHub, between files, and turned into addresses here."""

import posixpath
from collections.abc import Callable, Iterator
from urllib.parse import unquote, urlsplit

from markdown_it.token import Token

from config.docs import library


def target(href: str, *, of: str) -> str:
    """Return the file that a relative link in the file `of` leads to."""
    path = unquote(urlsplit(href).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(of), path)) if path else of


def is_relative(href: str) -> bool:
    """Return whether a link leads to a file, and not to an address of its own."""
    parts = urlsplit(href)
    return not parts.scheme and not parts.netloc and not parts.path.startswith("/")


def resolver(name: str) -> Callable[[str], str | None]:
    """Return a function from the links of one file to addresses; None for files that are no pages."""

    def resolve(href: str) -> str | None:
        if not is_relative(href) or href.startswith("#"):
            return href
        known, path = library.files(), target(href, of=name)
        file = known.get(path) or known.get(posixpath.join(path, "README.md"))
        if file is None:
            return None
        fragment = urlsplit(href).fragment
        return f"{file.url}#{fragment}" if fragment else file.url

    return resolve


def files_named(token: Token, *, of: str) -> Iterator[str]:
    """Return the names of the pages that the links in a text lead to."""
    known = library.files()
    for child in token.children or []:
        if child.type == "link_open" and is_relative(href := str(child.attrs["href"])):
            name = target(href, of=of)
            if name in known and known[name].is_page:
                yield name
