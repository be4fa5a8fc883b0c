"""The roles of the service's processes, as the Procfile names them, and the queues that each reads."""

from django.conf import settings

ROLES: tuple[str, ...] = ("web", "webhook", "live", "worker", "extractor", "notifier", "beat", "sweeper")
_READERS = {
    "extraction": "extractor",
    "default": "extractor",
    "quarantine": "extractor",
    "notify": "notifier",
}


def queues() -> list[str]:
    """Return the names of all queues."""
    return [*(f"messages.{n}" for n in range(settings.MESSAGE_QUEUE_SHARDS)), *_READERS]


def reader_of(queue: str) -> str:
    """Return the role that reads a queue."""
    return _READERS.get(queue, "worker")
