"""Whether each queue is read by a worker, as far as Procfile and environment say."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  (Django's name)

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_QUEUES = re.compile(r"\s-Q\s+(\S+)")


def check() -> list[CheckMessage]:
    """Check that the Procfile's workers read every queue, and only queues that exist."""
    from config.celery import app  # noqa: PLC0415  (reads the settings)

    procfile = settings.BASE_DIR / "Procfile"
    return compare(declared=set(app.amqp.queues), read=read_queues(procfile)) if procfile.exists() else []


def compare(*, declared: Iterable[str], read: Iterable[str]) -> list[CheckMessage]:
    """Return an error for queues that do not exist, and a warning for those that no worker reads."""
    messages: list[CheckMessage] = []
    if unknown := _listed(set(read) - set(declared)):
        text = f"WORKER_QUEUES names queues that do not exist, so a worker will not start: {unknown}."
        messages.append(Error(text, hint="MESSAGE_QUEUE_SHARDS says how many there are.", id="config.E013"))
    if unread := _listed(set(declared) - set(read)):
        messages.append(
            Warning(
                f"No worker of the Procfile reads these queues: {unread}. What waits in them is never done.",
                hint="Name them in WORKER_QUEUES or lower MESSAGE_QUEUE_SHARDS, unless other hosts do.",
                id="config.W003",
            )
        )
    return messages


def read_queues(procfile: Path, environment: Mapping[str, str] = os.environ) -> set[str]:
    """Return the queues that the Procfile's workers read, with its variables expanded as sh does."""

    def expand(match: re.Match[str]) -> str:
        return environment.get(match[1]) or match[2] or ""

    text = _VARIABLE.sub(expand, procfile.read_text())
    return {name for queues in _QUEUES.findall(text) for name in queues.split(",") if name}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=lambda name: [part.zfill(5) for part in name.split(".")]))
