"""The system as deployed, with its own durable servers, ports, secrets and data, all gone at the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from config.embedded import paths, postgres
from config.embedded.console import step, tail
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from config.embedded.readiness import answers, is_whole
from config.embedded.servers import postgres_server, valkey_server
from tests.load import environment, statements
from tests.load.tree import Service

BENCH_DIR = paths.DATA_DIR / "bench"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_START_SECONDS = 120
_STOP_SECONDS = 40
_ANSWERING = ("worker", "sweeper")


@dataclass
class System:
    """The running processes of a service by name, and the ways to reach them."""

    service: Service
    data_dir: Path
    environment: dict[str, str]
    pids: dict[str, int]
    # The ids of the last rows that were filled in before the start; later ones sort behind them.
    filled_until: dict[str, Any] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def webhook_url(self) -> str:
        return self.environment["SIMULATOR_WEBHOOK_URL"]

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['SIMULATOR_PORT']}"

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        url = self.environment["DATABASE_URL"].replace("postgres://", "postgresql://")
        with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
            yield connection

    def note_last_rows(self) -> None:
        """Count only rows after the present ones as work that is left to do."""
        with self.database() as database:
            self.filled_until = database.execute(self.service.last_rows_sql).fetchone() or {}

    @contextmanager
    def answering_paused(self) -> Iterator[None]:
        """Pause the processes that answer messages, so that messages wait as long as this lasts."""
        answering = [pid for name, pid in self.pids.items() if name.startswith(_ANSWERING)]
        try:
            for pid in answering:
                os.killpg(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in answering:
                os.killpg(pid, signal.SIGCONT)

    def start(self, name: str, command: list[str], *, cwd: Path) -> None:
        """Start a process with a log of its own."""
        with (self.data_dir / "log" / f"{name}.log").open("ab") as log:
            # Its own session: Ctrl-C must reach us first, and we stop everything in order.
            self.processes[name] = subprocess.Popen(
                command, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.pids[name] = self.processes[name].pid

    def kill_and_restart(self, name: str) -> None:
        """Kill a process as `kill -9` does, and start it again, as a process manager does."""
        os.killpg(self.pids[name], signal.SIGKILL)
        self.processes[name].wait()
        self.start(name, self.service.commands()[name], cwd=self.service.root)

    def stop(self, names: Iterable[str]) -> None:
        """Stop processes cleanly, and by force those that take too long."""
        processes = [self.processes[name] for name in names if name in self.processes]
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def complaints(self) -> dict[str, int]:
        """Count what our processes logged, by process and event: a healthy run has little."""
        counts: Counter[str] = Counter()
        for log in sorted((self.data_dir / "log").glob("*.log")):
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith("{"):
                    with suppress(ValueError):
                        counts[f"{log.stem}: {json.loads(line).get('event')}"] += 1
                elif line.startswith("Traceback"):
                    counts[f"{log.stem}: a traceback"] += 1
        return dict(counts.most_common())


@contextmanager
def running_system(
    service: Service,
    changes: dict[str, str],
    prepare: Callable[[System], None],
    *,
    keep_logs: Path,
    with_statements: bool = False,
) -> Iterator[System]:
    """
    Start a service's processes; `prepare` fills the migrated database before they start.

    Postgres, Valkey and the simulator are always those of the present tree.

    :raises StartError: if something does not start
    """
    BENCH_DIR.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        # Not in /tmp: that may be a memory disk, on which fsync costs nothing.
        data_dir = Path(tempfile.mkdtemp(prefix="run-", dir=BENCH_DIR))
        held: dict[signal.Signals, Any] = {}
        cleanup.callback(_restore_signals, held)
        cleanup.callback(_clear_away, data_dir, keep_logs)
        try:
            data_dir.chmod(0o755)
            paths.make_folders(data_dir)
            system = System(service, data_dir, environment.of(service, data_dir, changes), {})
            _bring_up(system, prepare, cleanup, with_statements=with_statements)
            yield system
        finally:
            # Another Ctrl-C must not cut the end short.
            held |= {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}


def _bring_up(
    system: System, prepare: Callable[[System], None], cleanup: ExitStack, *, with_statements: bool
) -> None:
    with step("Starting Postgres, Valkey and the simulator"):
        _start_stores(system, cleanup, with_statements=with_statements)
        simulator = {"simulator": bound_to_parent([sys.executable, "-m", "simulator"])}
        _start(system, simulator, cleanup, cwd=paths.PROJECT)
    with step("Creating tables"):
        _create_tables(system)
    with step("Inserting businesses and numbers"):
        prepare(system)
    system.note_last_rows()
    with step("Starting the processes"):
        commands = system.service.commands()
        _start(system, commands, cleanup, cwd=system.service.root)
        _wait_until_ready(system, workers=sum(name.startswith("worker") for name in commands))


def _restore_signals(held: dict[signal.Signals, Any]) -> None:
    for number, handler in held.items():
        signal.signal(number, handler)


def _start_stores(system: System, cleanup: ExitStack, *, with_statements: bool) -> None:
    server = postgres_server(system.data_dir, durable=True)
    if with_statements:
        command = server.command
        server.command = lambda: [*command(), *statements.OPTIONS]
    for each in (server, valkey_server(system.data_dir, durable=True)):
        cleanup.callback(each.stop)
        each.start()
        system.pids[each.name.lower()] = each.pid
    postgres.create_database(system.data_dir)


def _start(system: System, commands: dict[str, list[str]], cleanup: ExitStack, *, cwd: Path) -> None:
    cleanup.callback(system.stop, list(commands))
    for name, command in commands.items():
        system.start(name, command, cwd=cwd)


def _create_tables(system: System) -> None:
    for command in system.service.set_up_commands():
        subprocess.run(bound_to_parent(command), cwd=system.service.root, env=system.environment, check=True)


def _wait_until_ready(system: System, *, workers: int) -> None:
    webhook_port = int(system.environment["WEBHOOK_PORT"])
    deadline = time.monotonic() + _START_SECONDS
    while not (
        answers(int(system.environment["SIMULATOR_PORT"]), "/_simulator/health")
        and is_whole(webhook_port, "/health/ready")
        and _beating(system) >= workers
    ):
        dead = [
            name for name, pid in system.pids.items() if not Path(f"/proc/{pid}").exists() or _is_zombie(pid)
        ]
        if dead or time.monotonic() > deadline:
            name = dead[0] if dead else "webhook"
            log = tail(system.data_dir / "log" / f"{name}.log")
            raise StartError(f"{', '.join(dead) or 'The system'} did not get ready: {log}")
        time.sleep(0.2)


def _beating(system: System) -> int:
    with system.database() as database:
        found = database.execute(system.service.workers_sql).fetchone()
    return found["n"] if found else 0


def _is_zombie(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _clear_away(data_dir: Path, keep_logs: Path) -> None:
    shutil.copytree(data_dir / "log", keep_logs, dirs_exist_ok=True)
    shutil.rmtree(data_dir, ignore_errors=True)
    short = paths.socket_folder(data_dir, "valkey").parent
    if short != data_dir:
        shutil.rmtree(short, ignore_errors=True)
