"""The virtual environment of the services that ours is compared with, made when it is first needed."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from config.embedded import paths
from config.embedded.console import step, tail
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent

SERVICES = Path(__file__).parent / "services"
_REQUIREMENTS = SERVICES / "requirements.txt"
_PARENT = paths.DATA_DIR / "peers"
_LONGEST_SECONDS = 600


def binaries(requirements: Path = _REQUIREMENTS, *, parent: Path = _PARENT) -> Path:
    """
    Return the folder of programs of a virtual environment with these libraries; make it if there is none.

    :raises StartError: if they cannot be installed
    """
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = parent / digest
    parent.mkdir(parents=True, exist_ok=True)
    # Two runs at once must not install into the same folder.
    with (parent / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            with step(f"Installing what {requirements.name} locks into {folder}"):
                _install(requirements, folder, parent / f"{digest}.log")
    return folder / "bin"


def _install(requirements: Path, folder: Path, log: Path) -> None:
    uv = str(Path(sys.prefix) / "bin" / "uv")
    commands = [
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), "--require-hashes",
         "--requirement", str(requirements)],
    ]  # fmt: skip
    with log.open("wb") as output:
        for command in commands:
            try:
                finished = subprocess.run(
                    bound_to_parent(command), check=False, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=output, timeout=_LONGEST_SECONDS,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise StartError(f"{' '.join(command)} took more than {_LONGEST_SECONDS} s.") from None
            if finished.returncode:
                raise StartError(f"{' '.join(command)} failed:{tail(log)}")
    (folder / "installed").touch()
