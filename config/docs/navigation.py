"""The list of all pages at the side, in the order and groups of the map in `documentation/README.md`."""

from dataclasses import dataclass, field
from itertools import pairwise

from config.docs import library, links, markdown
from config.docs.library import File

MAP = "README.md"
MAP_ANCHOR = "all-pages"
REST = "More"


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that stand together."""

    title: str
    files: list[File] = field(default_factory=list)


def groups() -> list[Group]:
    """Return the groups of the map (headings below `All pages`), then the pages that it does not name."""
    known = library.files()
    if MAP not in known:
        return []
    groups = [Group("Start", [known[MAP]])]
    placed = {MAP}
    tokens = markdown.parse(known[MAP].path.read_text())
    is_map = False
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            is_map = is_map or before.attrs["id"] == MAP_ANCHOR
            if is_map and before.tag == "h3":
                groups.append(Group(markdown.plain(token)))
        elif is_map and token.type == "inline":
            for name in links.files_named(token, of=MAP):
                if name not in placed:
                    placed.add(name)
                    groups[-1].files.append(known[name])
    # Pages of a folder with an index are listed there.
    indexed = {library.folder_of(name) for name in placed if name != MAP and name.endswith(library.INDEX)}
    rest = [
        file
        for name, file in known.items()
        if file.is_page and name not in placed and library.folder_of(name) not in indexed
    ]
    return [group for group in [*groups, Group(REST, rest)] if group.files]
