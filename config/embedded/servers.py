"""Throw-away servers for tests."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded import paths, postgres, valkey
from config.embedded.errors import StartError

_READY_SECONDS = 60
_STOP_SECONDS = 20


@dataclass
class Server:
    """One server as a child process, that a test may stop, kill and start again."""

    name: str
    log: Path
    prepare: Callable[[], None]
    command: Callable[[], list[str]]
    is_ready: Callable[[], bool]
    stop_signal: signal.Signals
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The number of the running process, 0 if there is none."""
        return self.process.pid if self.process else 0

    def start(self) -> None:
        """
        Start the server and wait until it is ready.

        :raises StartError: if it ends or does not get ready
        """
        self.prepare()
        with self.log.open("ab") as log:
            # Its own session: Ctrl-C must reach the tests first, and they stop the servers.
            self.process = subprocess.Popen(  # noqa: S603 -- our own words
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise StartError(
                    f"{self.name} did not start:\n" + self.log.read_text(errors="replace")[-2000:]
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server cleanly, and by force if it takes too long."""
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def kill(self) -> None:
        """Kill the server as `kill -9` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass(frozen=True)
class TemporaryServers:
    """Both servers and where they listen."""

    database_url: str
    redis_url: str
    postgres: Server
    valkey: Server


@contextmanager
def temporary_servers(directory: Path) -> Iterator[TemporaryServers]:
    """
    Run a Postgres and a Valkey in `directory` that survive a kill but no power cut; remove both at the end.

    :raises StartError: if one does not start
    """
    directory = directory.absolute()
    with ExitStack() as cleanup:
        cleanup.callback(_remove, directory)
        paths.make_folders(directory)
        running = TemporaryServers(
            database_url=paths.postgres_url(directory),
            redis_url=paths.valkey_url(directory),
            postgres=postgres_server(directory, durable=False),
            valkey=valkey_server(directory, durable=False),
        )
        for server in (running.postgres, running.valkey):
            cleanup.callback(server.stop)
            server.start()
        postgres.create_database(directory)
        yield running


def postgres_server(data_dir: Path, *, durable: bool) -> Server:
    """Describe the embedded Postgres of a data folder as a child process."""
    return Server(
        name="Postgres",
        log=data_dir / "log" / "postgres.log",
        prepare=lambda: postgres.prepare(data_dir, durable=durable),
        command=lambda: postgres.command(data_dir, durable=durable),
        is_ready=lambda: postgres.is_ready(data_dir),
        stop_signal=signal.SIGINT,
    )


def valkey_server(data_dir: Path, *, durable: bool) -> Server:
    """Describe the embedded Valkey of a data folder as a child process."""
    return Server(
        name="Valkey",
        log=data_dir / "log" / "valkey.log",
        prepare=lambda: valkey.prepare(data_dir),
        command=lambda: valkey.command(data_dir, durable=durable),
        is_ready=lambda: valkey.is_ready(data_dir),
        stop_signal=signal.SIGTERM,
    )


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    short = paths.socket_folder(directory, "valkey").parent
    if short != directory:
        shutil.rmtree(short, ignore_errors=True)
