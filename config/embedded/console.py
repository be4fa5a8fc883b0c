"""What the person at the terminal reads."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def say(text: str, *, end: str = "\n") -> None:
    """Write to the terminal; one that was closed meanwhile must not stop an orderly shutdown."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes once more when it exits: let it write to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the current step, and how long it took."""
    started = time.monotonic()
    say(f"{title} … ", end="")
    try:
        yield
    except BaseException:
        say("")
        raise
    say(f"{time.monotonic() - started:.1f} s")


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log, indented."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])
