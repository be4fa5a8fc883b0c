"""Where data, logs and sockets are, computed alike by every process."""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from config.embedded.errors import StartError
from config.lib import local_secrets

PROJECT = Path(__file__).resolve().parents[2]
DATA_DIR = PROJECT / ".data"

POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
# sockaddr_un.sun_path holds 108 bytes with its closing NUL.
_SOCKET_PATH_BYTES = 107


def postgres_url(data_dir: Path = DATA_DIR) -> str:
    """Name the embedded database in the form that libpq and django-environ read."""
    folder = quote(str(socket_folder(data_dir, "postgres")), safe="")
    return f"postgres://postgres@{folder}/app"


def valkey_url(data_dir: Path = DATA_DIR) -> str:
    """Name the embedded Valkey in the form that redis-py reads."""
    return f"unix://{quote(str(socket_folder(data_dir, 'valkey') / VALKEY_SOCKET))}?db=0"


def socket_folder(data_dir: Path, server: str) -> Path:
    """Return the folder of a server's socket: with its data, or below /tmp where that path is too long."""
    longest = data_dir.absolute() / "postgres" / POSTGRES_SOCKET
    if len(os.fsencode(longest)) <= _SOCKET_PATH_BYTES:
        return data_dir.absolute() / server
    return _short_folder(data_dir) / server


def control_socket(data_dir: Path) -> Path:
    """Return the control socket of the process manager."""
    return socket_folder(data_dir, "run") / "rpc.sock"


def make_folders(data_dir: Path) -> None:
    """
    Make the folders below `data_dir` that are ours alone, and the short one for sockets if it is needed.

    :raises StartError: if one of them belongs to somebody else
    """
    # Postgres runs as another user when we are root, so the top folder lets it pass; all below it is shut.
    _own_folder(data_dir.absolute(), mode=0o711)
    for name in ("run", "log", "valkey", local_secrets.FOLDER):
        _own_folder(data_dir.absolute() / name, mode=0o700)
    if socket_folder(data_dir, "run").parent != data_dir.absolute():
        _own_folder(_short_folder(data_dir), mode=0o711)
        for name in ("run", "valkey"):
            _own_folder(socket_folder(data_dir, name), mode=0o700)


def _short_folder(data_dir: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:10]
    # Not $XDG_RUNTIME_DIR and not $TMPDIR: they differ between a shell, sudo and a cron job.
    return Path("/tmp") / f"embedded-{os.getuid()}-{digest}"  # noqa: S108 -- ownership is checked before use


def _own_folder(folder: Path, *, mode: int) -> None:
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    if folder.is_symlink():
        raise StartError(f"{folder} is a symbolic link: remove it.")
    owner = folder.stat().st_uid
    if owner != os.getuid():
        message = f"{folder} belongs to another user (uid {owner}): remove it, or start as that user."
        raise StartError(message)
    folder.chmod(mode)
