"""The system as deployed, with its own durable servers, ports, secrets and data, all gone at the end."""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from config.embedded import paths, postgres, programs
from config.embedded.console import step, tail
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from config.embedded.readiness import answers, is_whole
from config.embedded.servers import postgres_server, valkey_server
from tests.load import statements

BENCH_DIR = paths.DATA_DIR / "bench"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What is not part of taking in and answering messages.
_NOT_STARTED = {"web", "live"}
_START_SECONDS = 120
_STOP_SECONDS = 40
# What a shell may hold and the measured system must not see; `--env` sets it on purpose.
_FOREIGN = (
    "API_", "APP_", "CELERY_", "CORRELATION_", "CREDITS_", "DATABASE_", "DATA_DIR", "DJANGO_", "EVENT_",
    "EXTRACT", "FIELD_", "GRAPH_", "INSTAGRAM_", "LIVE_", "LOG_", "MESSAGE_", "NODE_ENV", "OPENAI_", "PHONE_",
    "REDIS_", "REPLY_", "SIMULATOR_", "STORAGE_", "TAKEOVER_", "TURN_", "TYPING_", "WEBCHAT_", "WEBHOOK_",
    "WEB_", "WHATSAPP_", "WORKER_",
)  # fmt: skip
_BEHAVIOUR = {
    "openai": {"latency": {"mean": 1.0, "spread": 0.3}},
    "graph": {"latency": 0.05},
    "statuses": True,
}


@dataclass
class System:
    """The running processes by name, and the ways to reach them."""

    data_dir: Path
    environment: dict[str, str]
    pids: dict[str, int]

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
    changes: dict[str, str],
    prepare: Callable[[System], None],
    *,
    keep_logs: Path,
    with_statements: bool = False,
) -> Iterator[System]:
    """
    Start everything but `web` and `live`; `prepare` fills the migrated database before the processes start.

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
            system = System(data_dir, _environment(data_dir, changes), {})
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
        _start(system, {"simulator": bound_to_parent([sys.executable, "-m", "simulator"])}, cleanup)
    with step("Making tables, businesses and numbers"):
        _migrate(system)
        prepare(system)
    with step("Starting the Procfile's processes"):
        commands = {each.name: each.command for each in programs.app() if each.name not in _NOT_STARTED}
        _start(system, commands, cleanup)
        _wait_until_ready(system, workers=sum(name.startswith("worker") for name in commands))


def _restore_signals(held: dict[signal.Signals, Any]) -> None:
    for number, handler in held.items():
        signal.signal(number, handler)


def _environment(data_dir: Path, changes: dict[str, str]) -> dict[str, str]:
    webhook_port, simulator_port = _free_ports(2)
    simulator = f"http://127.0.0.1:{simulator_port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    binaries = str(Path(sys.prefix) / "bin")
    return inherited | {
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH") or os.defpath]),
        "PYTHONUNBUFFERED": "1",
        "APP_ENV": "production",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": paths.postgres_url(data_dir),
        "REDIS_URL": paths.valkey_url(data_dir),
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DJANGO_SECURE_SSL_REDIRECT": "false",
        "FIELD_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "WEBHOOK_SECRET": secrets.token_hex(16),
        "WEBHOOK_VERIFY_TOKEN": secrets.token_hex(16),
        "WEBHOOK_HOST": "127.0.0.1",
        "WEBHOOK_PORT": str(webhook_port),
        "OPENAI_API_KEY": f"sk-{secrets.token_hex(24)}",
        "OPENAI_BASE_URL": f"{simulator}/v1",
        "WHATSAPP_API_BASE_URL": f"{simulator}/v25.0",
        "INSTAGRAM_API_BASE_URL": f"{simulator}/v25.0",
        "TYPING_INDICATOR": "false",
        "REPLY_DEBOUNCE": "0",
        "REPLY_BUDGET": "1000000",
        "LOG_LEVEL": "warning",
        "SIMULATOR_HOST": "127.0.0.1",
        "SIMULATOR_PORT": str(simulator_port),
        "SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{webhook_port}/webhook/meta",
        "SIMULATOR_BEHAVIOUR": json.dumps(_BEHAVIOUR),
        "SIMULATOR_JOURNAL_SIZE": "3000000",
        **changes,
    }  # fmt: skip


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


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


def _start(system: System, commands: dict[str, list[str]], cleanup: ExitStack) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    cleanup.callback(_stop, processes)
    for name, command in commands.items():
        with (system.data_dir / "log" / f"{name}.log").open("ab") as log:
            # Its own session: Ctrl-C must reach us first, and we stop everything in order.
            process = subprocess.Popen(
                command, cwd=paths.PROJECT, env=system.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True,
            )  # fmt: skip
        processes.append(process)
        system.pids[name] = process.pid


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
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


def _migrate(system: System) -> None:
    command = bound_to_parent([sys.executable, "manage.py", "migrate", "-v0"])
    subprocess.run(command, cwd=paths.PROJECT, env=system.environment, check=True)


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
        found = database.execute("SELECT count(*) AS n FROM heartbeats WHERE role = 'worker'").fetchone()
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
