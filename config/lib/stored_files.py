"""
Reads and writes files in the storage of STORAGE_BACKEND, so that a storage that is away costs a file at most.

Storages raise errors of their own (S3's are no OSError), and some wait for minutes: botocore five times a
minute by default. Here a call ends within SECONDS, and after three failures no further ones are made for a
while.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from config.lib.breaker import Breaker

T = TypeVar("T")

SECONDS = 10.0
breaker = Breaker("storage", failures=3, window=60, pause=10)


class StorageError(OSError):
    """The storage did not do what it was asked for, or not in time."""


def read(name: str, *, admits: Callable[[int], bool] = lambda _size: True) -> bytes | None:
    """
    Return the content of a file; None if its size in bytes is not admitted, in which case it is not read.

    :raises OSError: FileNotFoundError if the storage does not have it, StorageError if the storage is away
    """

    def do() -> bytes | None:
        with default_storage.open(name) as file:
            return file.read() if admits(file.size) else None

    return _within_seconds(do)


def save(name: str, content: bytes) -> str:
    """
    Store a file and return the name it got.

    :raises StorageError: if the storage is away
    """
    return _within_seconds(lambda: default_storage.save(name, ContentFile(content)))


def _within_seconds(call: Callable[[], T]) -> T:
    if not breaker.allows():
        raise StorageError("the storage failed several times and is left alone for a while")
    done: Future[T] = Future()
    # No pool: its threads would be waited for when the process ends.
    threading.Thread(target=_run, args=(call, done), name="storage", daemon=True).start()
    try:
        result = done.result(SECONDS)
    except (FileNotFoundError, IsADirectoryError, SuspiciousFileOperation) as error:
        breaker.succeeded()
        raise FileNotFoundError(str(error)) from error
    except Exception as error:
        breaker.failed()
        raise StorageError(f"{type(error).__name__}: {error}"[:200]) from error
    breaker.succeeded()
    return result


def _run(call: Callable[[], T], done: "Future[T]") -> None:
    try:
        done.set_result(call())
    except Exception as error:  # noqa: BLE001  (the waiting thread raises it)
        done.set_exception(error)
