"""A checkout of another revision, with its own virtual environment, gone at the end."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded import paths
from config.embedded.console import step, tail
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from tests.load.system import STOP_SIGNALS
from tests.load.tree import Tree

# What our own `make` has set; the other checkout's is to start afresh.
_OF_MAKE = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "VIRTUAL_ENV"}
_GIT_SECONDS = 120


@contextmanager
def checked_out(revision: str, *, repository: Path = paths.PROJECT) -> Iterator[Tree]:
    """
    Check a revision out in a git worktree, set it up with its own `make setup`, and remove it at the end.

    :raises StartError: if there is no such revision, or it cannot be set up
    """
    commit = _git(
        repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    commit = commit.strip()
    parent = repository / ".data" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"tree-{commit[:7]}-", dir=parent))
    try:
        with step(f"Checking out {commit[:7]} and setting it up"):
            _git(repository, "worktree", "add", "--quiet", "--detach", str(folder), commit)
            _copy_settings(repository, folder)
            _run_to_the_end(bound_to_parent(["make", "setup"]), folder, log=folder / "setup.log")
        yield Tree(commit[:7], folder, folder / ".venv" / "bin")
    finally:
        with _signals_ignored():
            _remove(repository, folder)


def _copy_settings(repository: Path, folder: Path) -> None:
    """Copy the `.env` of the present tree, if it has one: both revisions read the same settings."""
    if (own := repository / ".env").exists():
        shutil.copy2(own, folder / ".env")


def _git(repository: Path, *words: str) -> str:
    finished = subprocess.run(
        ["git", *words], cwd=repository, check=False, capture_output=True, text=True, timeout=_GIT_SECONDS
    )
    if finished.returncode:
        reason = finished.stderr.strip() or "there is no such revision in this git repository"
        raise StartError(f"git {' '.join(words)}: {reason}")
    return finished.stdout


def _run_to_the_end(command: Sequence[str], folder: Path, *, log: Path) -> None:
    """
    Run a command and everything it starts; end all of it when we are stopped.

    :raises StartError: if it fails
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise StartError(f"{' '.join(command)} failed in {folder}:{tail(log)}")


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Finish even if Ctrl-C is pressed again."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _remove(repository: Path, folder: Path) -> None:
    try:
        _git(repository, "worktree", "remove", "--force", "--force", str(folder))
    except StartError:
        # It was stopped before git had finished creating it.
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(StartError):
            _git(repository, "worktree", "prune")
