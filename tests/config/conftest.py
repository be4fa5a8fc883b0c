"""A clock, and other processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.rig import PROJECT

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Clock:
    """A clock that stands until it is told to move."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Run Python in the project with just these environment variables."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "DATA_DIR") if name in os.environ}
        return subprocess.run(
            [sys.executable, *arguments], cwd=PROJECT, env=kept | environment, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip

    return run
