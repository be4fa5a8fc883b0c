"""Every link in every Markdown file of the project leads somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from config.docs import links, markdown
from tests.house.test_rules import files
from tests.rig import PROJECT

PAGES = sorted(files("*.md"))
DOCUMENTATION = PROJECT / "documentation"


def hrefs(path: Path):
    for token in markdown.parse(path.read_text()):
        for child in token.children or []:
            if child.type == "link_open":
                yield str(child.attrs["href"])


def anchors(path: Path) -> set[str]:
    return {heading.anchor for heading in markdown.headings(markdown.parse(path.read_text()))}


def broken(page: Path, href: str) -> str:
    """Say what is wrong with a link; nothing, if it leads somewhere."""
    if not links.is_relative(href):
        parts = urlsplit(href)
        return "" if parts.scheme == "https" else "neither relative nor https"
    target = page if href.startswith("#") else page.parent / unquote(urlsplit(href).path)
    target = target / "README.md" if target.is_dir() and (target / "README.md").exists() else target
    if not target.exists():
        return "no such file"
    fragment = unquote(urlsplit(href).fragment)
    return f"no heading #{fragment}" if fragment and fragment not in anchors(target) else ""


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
    def test_lead_somewhere(self, page):
        faults = {href: fault for href in hrefs(page) if (fault := broken(page, href))}

        assert faults == {}

    def test_of_the_map_and_the_index_of_decisions_lead_to_every_page(self):
        mapped = {
            links.target(href, of=name)
            for name in ("README.md", "decisions/README.md")
            for href in hrefs(DOCUMENTATION / name)
            if links.is_relative(href)
        }

        pages = {path.relative_to(DOCUMENTATION).as_posix() for path in files("*.md", below=DOCUMENTATION)}
        assert pages - mapped == {"README.md"} - mapped


class TestHeadings:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
    def test_begin_with_one_title(self, page):
        levels = [heading.level for heading in markdown.headings(markdown.parse(page.read_text()))]

        assert levels[0] == 1
        assert levels.count(1) == 1
