"""
Markdown to HTML: headings that can be linked to, links that work on GitHub and here, and no HTML of others.

No element gets a style of its own: the Content-Security-Policy allows none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

Resolve = Callable[[str], str | None]
# A line that is a comment says something to programs that write pages.
_COMMENT = re.compile(r"^<!-- [^<>]* -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading to jump to."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a file looks like."""

    html: str
    headings: list[Heading]


def render(text: str, *, resolve: Resolve) -> Page:
    """Render a page; `resolve` gives the address of a link's target, or None where there is none here."""
    tokens = parse(text)
    for token in tokens:
        _tidy(token)
        _redirect(token.children or [], resolve)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return Page(html, headings(tokens))


def parse(text: str) -> list[Token]:
    """Take a text apart; each heading gets its anchor as `id`."""
    tokens = _markdown.parse(_COMMENT.sub("", text))
    taken: dict[str, int] = {}
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", _anchor(plain(content), taken))
    return tokens


def headings(tokens: Sequence[Token]) -> list[Heading]:
    """List the headings of what `parse` gave."""
    return [
        Heading(int(opening.tag[1]), plain(content), str(opening.attrs["id"]))
        for opening, content in pairwise(tokens)
        if opening.type == "heading_open"
    ]


def plain(inline: Token) -> str:
    """Return the plain text of a heading or a link."""
    return "".join(child.content for child in inline.children or [] if child.type in {"text", "code_inline"})


def _anchor(heading: str, taken: dict[str, int]) -> str:
    """Name a heading as GitHub does."""
    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    count = taken.get(slug, 0)
    taken[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def _tidy(token: Token) -> None:
    """Replace the parser's style attributes by classes: how a table's column is aligned."""
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrJoin("class", style.replace("text-align:", "align-"))


def _redirect(children: list[Token], resolve: Resolve) -> None:
    """Point links at addresses; of a link that leads nowhere here only the text stays."""
    stack: list[Token] = []
    for child in children:
        if child.type == "link_open":
            stack.append(child)
            href = resolve(str(child.attrs["href"]))
            if href is None:
                child.tag, child.attrs = "span", {"class": "in-repository"}
            else:
                child.attrs["href"] = href
        elif child.type == "link_close":
            child.tag = stack.pop().tag


def _heading_open(_: object, tokens: Sequence[Token], index: int, *_rest: object) -> str:
    tag, anchor = tokens[index].tag, tokens[index].attrs["id"]
    return f'<{tag} id="{anchor}">'


def _heading_close(_: object, tokens: Sequence[Token], index: int, *_rest: object) -> str:
    tag, anchor = tokens[index].tag, tokens[index - 2].attrs["id"]
    return f' <a class="anchor" href="#{anchor}" aria-label="Link to this heading">#</a></{tag}>\n'


def _table_open(*_: object) -> str:
    return '<div class="table"><table>\n'


def _table_close(*_: object) -> str:
    return "</table></div>\n"


def _made() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    rules: Mapping[str, Callable[..., Any]] = {
        "heading_open": _heading_open,
        "heading_close": _heading_close,
        "table_open": _table_open,
        "table_close": _table_close,
    }
    for name, rule in rules.items():
        made.add_render_rule(name, rule)
    return made


_markdown = _made()
