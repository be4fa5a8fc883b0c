"""Every program that `make run` keeps alive: the Procfile's, and the embedded servers it lacks."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from config.embedded import paths, postgres, valkey
from config.embedded.choices import Choices
from config.embedded.privileges import bound_to_parent

_COPIES = {"worker": 2}
# A worker ends the calls it is in; everything else is quick.
_STOP_SECONDS = {"worker": 30, "extractor": 30, "notifier": 30, "web": 25, "webhook": 25}


@dataclass(frozen=True)
class Program:
    """One process under the process manager; `stores` start first and stop last."""

    name: str
    group: str
    command: list[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 15


def stores(choices: Choices) -> list[Program]:
    """Return the embedded servers that the environment does not replace."""
    programs = []
    if not choices.database_url:
        command = postgres.command(choices.data_dir)
        programs.append(Program("postgres", "stores", command, stop_signal="INT", stop_seconds=30))
    if not choices.redis_url:
        programs.append(Program("valkey", "stores", valkey.command(choices.data_dir)))
    return programs


def vendors(choices: Choices) -> list[Program]:
    """Return the simulator, where anything is simulated."""
    command = bound_to_parent([sys.executable, "-m", "simulator"])
    return [Program("simulator", "vendors", command)] if choices.simulated else []


def app(procfile: Path = paths.PROJECT / "Procfile") -> list[Program]:
    """Return the Procfile's processes, as many of each as one machine needs."""
    return [
        Program(
            name=name if copies == 1 else f"{name}-{copy}",
            group="app",
            command=bound_to_parent(["sh", "-c", command]),
            stop_seconds=_STOP_SECONDS.get(name, 15),
        )
        for name, command in read_procfile(procfile).items()
        for copies in [_COPIES.get(name, 1)]
        for copy in range(1, copies + 1)
    ]


def read_procfile(procfile: Path) -> dict[str, str]:
    """Read `name: command` lines."""
    lines = [line.strip() for line in procfile.read_text().splitlines()]
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return {name.strip(): command.strip() for name, _, command in pairs}


def environment(choices: Choices) -> dict[str, str]:
    """Return the environment of every program: ours, with this virtual environment's programs first."""
    binaries = str(Path(sys.prefix) / "bin")
    webhook = f"http://127.0.0.1:{choices.ports['WEBHOOK_PORT']}{choices.webhook_path}"
    return {
        "SIMULATOR_WEBHOOK_URL": webhook,
        **os.environ,
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH") or os.defpath]),
        "PYTHONUNBUFFERED": "1",
    }
