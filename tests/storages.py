"""Storages that fail as foreign ones do: with an error of their own, or by not answering."""

import threading
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage


class ForeignStorageError(Exception):
    """Stands for botocore's errors, which are no OSError."""


class AwayStorage(Storage):
    """Refuses everything."""

    def _open(self, name: str, mode: str = "rb") -> File:
        raise ForeignStorageError("Could not connect to the endpoint URL")

    def _save(self, name: str, content: Any) -> str:
        raise ForeignStorageError("Could not connect to the endpoint URL")

    def exists(self, name: str) -> bool:
        return False


class HangingStorage(AwayStorage):
    """Does not answer before `release` is set."""

    release = threading.Event()

    def _open(self, name: str, mode: str = "rb") -> File:
        self.release.wait(60)
        return ContentFile(b"late")


def use(settings: Any, storage: type[Storage]) -> None:
    """Have files read from and written to another storage during a test."""
    backend = f"{storage.__module__}.{storage.__qualname__}"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}
