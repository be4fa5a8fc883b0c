"""
The files below `documentation/`, by the address they have in the browser.

They are listed once, and an address is only ever looked up in that list: none leads out of the folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from django.conf import settings

ROOT: Path = settings.BASE_DIR / "documentation"
INDEX = "README.md"
_SAMPLES = {".sh", ".ts", ".json", ".yaml"}


@dataclass(frozen=True)
class File:
    """A page, or a sample to be copied; `name` is its path below `documentation/`."""

    name: str
    path: Path

    @property
    def is_page(self) -> bool:
        """Whether it is shown as a page, and not as it is."""
        return self.name.endswith(".md")

    @property
    def address(self) -> str:
        """What stands behind `/docs/`; a folder's README stands for the folder."""
        if not self.is_page:
            return self.name
        if PurePosixPath(self.name).name == INDEX:
            return self.name.removesuffix(INDEX)
        return self.name.removesuffix(".md")

    @property
    def url(self) -> str:
        """Its address in the browser."""
        return f"/docs/{self.address}"

    @cached_property
    def title(self) -> str:
        """The first heading, without Markdown's marks."""
        for line in self.path.read_text().splitlines():
            if line.startswith("# "):
                return line.removeprefix("# ").replace("`", "").strip()
        return PurePosixPath(self.name).stem.replace("_", " ").capitalize()


def folder_of(name: str) -> str:
    """Return the folder of a file, relative to `documentation/`."""
    return PurePosixPath(name).parent.as_posix()


@lru_cache(maxsize=1)
def files(root: Path = ROOT) -> Mapping[str, File]:
    """Return every page by its file name."""
    return {file.name: file for file in _walk(root)}


@lru_cache(maxsize=1)
def addresses(root: Path = ROOT) -> Mapping[str, File]:
    """Return every page by its address."""
    return {file.address: file for file in files(root).values()}


def _walk(root: Path) -> Iterator[File]:
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not path.is_symlink() and path.suffix in {".md", *_SAMPLES}:
            yield File(name, path)
