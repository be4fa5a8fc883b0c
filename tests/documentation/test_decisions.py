"""Every decision has a page with its date and its status, and the index says the same."""

import re

import pytest

from tests.rig import PROJECT

FOLDER = PROJECT / "documentation" / "decisions"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
_HEAD = re.compile(
    r"# (?P<title>.+)\n\n"
    r"Date: (?P<date>\d{4}-\d\d-\d\d) · Status: (?P<status>accepted|superseded by \[.+\]\(.+\))\n\n"
)
_ROW = re.compile(r"^\| (\S+) \| \[(.+)\]\((.+)\) \| (\w+) \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_decision_has_a_title_a_date_and_a_status(page):
    head = _HEAD.match(page.read_text())

    assert head
    assert page.name.startswith(head["date"])


def test_index_lists_each_decision_by_date_with_its_title_and_status():
    listed = _ROW.findall((FOLDER / "README.md").read_text())
    heads = [_HEAD.match(page.read_text()) for page in PAGES]

    assert sorted(listed) == sorted(
        (head["date"], head["title"], page.name, head["status"].split()[0])
        for head, page in zip(heads, PAGES, strict=True)
    )
    assert [row[0] for row in listed] == sorted(row[0] for row in listed)
