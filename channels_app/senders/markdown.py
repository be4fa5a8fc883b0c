"""
Turns the Markdown that models write into a channel's own marks.

What is not Markdown comes out as it went in, and so do lists and quotes: chats show them as they are written.
"""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

# The parser's time grows with the square of the marks in one paragraph, heading or cell. Beyond these limits
# a text, or the marks in such a piece, stay as they were written.
LONGEST_TEXT = 20_000
MOST_MARKS = 1_000
_MARKS = "*_~`[]<!"

_NONE: frozenset[str] = frozenset()
_SCHEME = re.compile(r"https?$", re.IGNORECASE)
# Up to what could close the emphasis or the link it stands in.
_REST_OF_URL = re.compile(r"://(?:(?!\*\*|~~)[^\s<>\]`|])*[^\s<>\]`|*_~).,;:!?\"']/?")
_HANDLE = re.compile(r"@[\w.]*\w")
_RULES = {"---", "***", "___"}


@dataclass(frozen=True, slots=True)
class Marks:
    """What a channel puts around text; nothing where it knows nothing."""

    bold: str = ""
    italic: str = ""
    strike: str = ""
    code: str = ""
    fence: str = ""


class _Inline(MarkdownIt):
    """Keeps addresses readable: the parser would write them as a browser sends them."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's name for it
        """Return the address as it was written."""
        return url


def _literal(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    """Take addresses and @handles as they are: their underscores and asterisks are no marks."""
    match = None
    if state.src[state.pos] == "@":
        match = _HANDLE.match(state.src, state.pos, state.posMax)
    elif _SCHEME.search(state.src, max(0, state.pos - 5), state.pos):
        match = _REST_OF_URL.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        state.pending += match[0]
    state.pos = match.end()
    return True


_blocks = MarkdownIt("zero").enable(["fence", "heading", "hr", "table"])
_blocks.core.ruler.disable("inline")
_inline = _Inline("zero").enable(
    ["autolink", "backticks", "emphasis", "escape", "image", "link", "strikethrough"]
)
_inline.inline.ruler.push("literal", _literal)


def render(text: str, marks: Marks) -> str:
    """Replace a text's Markdown by a channel's marks; a text that is too long stays as it is."""
    if len(text) > LONGEST_TEXT:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    out: list[str] = []
    done = 0
    tokens = _blocks.parse(text)
    for at, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, end = token.map
        source = "\n".join(lines[start:end])
        if token.type == "hr" and source.strip() in _RULES:
            out = [*"\n".join([*out, *lines[done:start]]).rstrip().split("\n"), ""]
            done = end + next((n for n, line in enumerate(lines[end:]) if line.strip()), 0)
            continue
        out += [*lines[done:start], _block(tokens, at, source, marks)]
        done = end
    rendered = "\n".join([*out, *lines[done:]])
    # Of nothing but marks there would be nothing left to send.
    return rendered if rendered.strip() else text


def _block(tokens: list[Token], at: int, source: str, marks: Marks) -> str:
    match tokens[at].type:
        case "fence":
            content = tokens[at].content.rstrip("\n")
            return f"{marks.fence}\n{content}\n{marks.fence}" if marks.fence else content
        case "heading_open" if tokens[at + 1].content:
            return _wrapped(_spans(tokens[at + 1].content, marks, frozenset({marks.bold})), marks.bold)
        case "table_open":
            return _table(tokens, at + 1, marks)
        case "paragraph_open":
            return _spans(source, marks, _NONE)
    return source


def _table(tokens: list[Token], at: int, marks: Marks) -> str:
    rows: list[list[str]] = []
    for position in range(at, len(tokens)):
        token = tokens[position]
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            rows[-1].append(_spans(token.content, marks, _NONE))
    return "\n".join(" | ".join(row).rstrip(" |") for row in rows)


def _spans(text: str, marks: Marks, inside: frozenset[str]) -> str:
    if sum(map(text.count, _MARKS)) > MOST_MARKS:
        return text
    return _nodes(SyntaxTreeNode(_inline.parseInline(text)[0].children or []), marks, inside)


def _nodes(parent: SyntaxTreeNode, marks: Marks, inside: frozenset[str]) -> str:
    out = ""
    for node in parent.children:
        out += _node(node, marks, inside, before=out[-1:])
    return out


def _node(node: SyntaxTreeNode, marks: Marks, inside: frozenset[str], *, before: str) -> str:
    match node.type:
        case "text":
            return node.content
        case "hardbreak":
            return "\n"
        case "code_inline":
            mark = marks.fence if "`" in node.content else marks.code
            return f"{mark}{node.content}{mark}"
        case "image":
            return str(node.attrs.get("src") or node.content)
        case "link":
            return _link(_nodes(node, marks, inside), str(node.attrs.get("href", "")))
    return _emphasis(node, marks, inside, before=before)


def _emphasis(node: SyntaxTreeNode, marks: Marks, inside: frozenset[str], *, before: str) -> str:
    mark = {"strong": marks.bold, "em": marks.italic, "s": marks.strike}[node.type]
    text = _nodes(node, marks, inside | {mark})
    if neighbours := _letters(before, _following(node)):
        # Within a word no chat knows marks; and there a * or _ rather means 5*3*2 or snake_case.
        is_meant = node.type != "em" and not any(letter.isdigit() for letter in neighbours)
        return text if is_meant else f"{node.markup}{text}{node.markup}"
    return text if mark in inside else _wrapped(text, mark)


def _following(node: SyntaxTreeNode) -> str:
    following = node.next_sibling
    return following.content[:1] if following is not None and following.type == "text" else ""


def _letters(*neighbours: str) -> str:
    return "".join(letter for letter in neighbours if letter.isalnum())


def _wrapped(text: str, mark: str) -> str:
    """Put a mark around each line: none reaches over a line's end."""
    return "\n".join(
        f"{mark}{line.strip()}{mark}" if mark and line.strip() else line for line in text.split("\n")
    )


def _link(text: str, href: str) -> str:
    address = href.removeprefix("mailto:").removeprefix("tel:")
    if not text.strip() or _bare(text) == _bare(address):
        return address
    return f"{text} ({address})" if address else text


def _bare(address: str) -> str:
    return re.sub(r"^https?://(www\.)?", "", address).rstrip("/").casefold()
