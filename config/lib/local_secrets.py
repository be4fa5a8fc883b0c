"""
Secrets of a development checkout: random, created once, stored below DATA_DIR in files of mode 0600.

Every process of a checkout reads the same files, so all agree without any configuration. Settings import this
module, so it must not need Django.
"""

import base64
import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDER = "secrets"
# Development values that stood in the source of earlier versions: anybody may know them.
PUBLISHED = {
    "DJANGO_SECRET_KEY": "development-only-secret-key-0123456789abcdef-0123456789abcdef",
    "FIELD_ENCRYPTION_KEY": "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1lbmNyeXB0LTE=",
    "WEBHOOK_SECRET": "test-app-secret",
    "WEBHOOK_VERIFY_TOKEN": "test-verify-token",
    "OPENAI_API_KEY": "sk-simulated",
}


def get(data_dir: Path, name: str, create: Callable[[], str] | None = None) -> str:
    """
    Return the secret `name` of this checkout; the first caller of all processes creates it.

    :param create: returns a new secret; without it, one that fits the variable `name`
    :raises OSError: if the file can be neither read nor written
    """
    path = _path(data_dir, name)
    if secret := _read(path):
        return secret
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (path.parent / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have created it while we waited for the lock.
        if secret := _read(path):
            return secret
        secret = (create or _GENERATORS.get(name, token))()
        _write(path, secret)
        return secret


def find(data_dir: Path, name: str) -> str | None:
    """Return the secret `name` of this checkout, or None if it was never created."""
    return _read(_path(data_dir, name))


def token() -> str:
    """Return 256 random bits as text for URLs."""
    return secrets.token_urlsafe(32)


def _encryption_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


_GENERATORS: dict[str, Callable[[], str]] = {
    "DJANGO_SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEY": _encryption_key,
}


def _path(data_dir: Path, name: str) -> Path:
    return data_dir / FOLDER / name


def _read(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text().strip() or None
    return None


def _write(path: Path, secret: str) -> None:
    # mkstemp creates it with mode 0600; after the rename it is there completely or not at all.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{secret}\n")
    Path(draft).replace(path)
