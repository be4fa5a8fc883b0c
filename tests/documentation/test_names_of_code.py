"""What pages name of the code is there under that name."""

import re

import pytest

from tests.documentation import postman, typescript
from tests.documentation.configuration import PAGE as CONFIGURATION
from tests.house.test_rules import files, modules
from tests.rig import PROJECT

DOCUMENTATION = PROJECT / "documentation"
PAGES = [
    pytest.param(page, id=str(page.relative_to(PROJECT)))
    for page in sorted([*files("*.md", below=DOCUMENTATION), *PROJECT.glob("*.md")])
]
_MODULE = re.compile(r"(?:[a-z_]+/)*[a-z_0-9]+\.py")
_IDENTIFIER = re.compile(r"(?:[a-z_]+\.)*([A-Za-z_]+)")


def named(text: str) -> list[str]:
    """Return what stands in backticks outside of code blocks."""
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


@pytest.mark.parametrize("page", PAGES)
def test_modules_that_a_page_names_exist(page):
    known = ["/" + str(path.relative_to(PROJECT)) for path in files("*.py")]

    wanted = [word for word in named(page.read_text()) if _MODULE.fullmatch(word)]

    assert [word for word in wanted if not any(path.endswith(f"/{word}") for path in known)] == []


def test_guide_to_a_new_channel_names_code_that_exists():
    guide = (PROJECT / "documentation" / "adding-a-channel.md").read_text()
    code = "\n".join(path.read_text() for path in [*modules(), *files("*.py")])
    known = set(re.findall(r"\w+", code))

    identifiers = [found[1] for word in named(guide) if (found := _IDENTIFIER.fullmatch(word))]

    assert len(identifiers) > 20
    assert [name for name in identifiers if name not in known] == []


def test_files_that_the_guide_to_contributing_names_exist():
    guide = (PROJECT / "CONTRIBUTING.md").read_text()

    paths = [word for word in named(guide) if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)*/?", word) and "/" in word]

    assert len(paths) > 60
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_generated_files_are_marked_as_generated():
    marked = (PROJECT / ".gitattributes").read_text().splitlines()
    patterns = [line.split()[0] for line in marked if line.endswith(" linguist-generated")]
    generated = [
        typescript.TYPES,
        postman.COLLECTION,
        CONFIGURATION,
        *PROJECT.glob("requirements*.txt"),
        *files("package-lock.json"),
    ]

    assert [
        path for path in generated if not any(path.relative_to(PROJECT).match(one) for one in patterns)
    ] == []
