"""Says that a process is alive: a row in Postgres, since asking workers over Redis fails when Redis does."""

import os
import socket
import threading
from datetime import timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from config.models import Heartbeat

log = structlog.get_logger(__name__)

INTERVAL = 5.0
STALE_AFTER = timedelta(seconds=20)


def instance() -> str:
    """Name this process."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(role: str) -> None:
    """Write down that this process is alive."""
    Heartbeat.objects.update_or_create(
        instance=instance(), defaults={"role": role, "beat_at": timezone.now()}
    )


def alive(role: str) -> bool:
    """Tell whether any process of a role said so lately."""
    return Heartbeat.objects.filter(role=role, beat_at__gt=timezone.now() - STALE_AFTER).exists()


def forget_the_dead() -> None:
    """Delete the rows of processes that have been silent for a day."""
    Heartbeat.objects.filter(beat_at__lt=timezone.now() - timedelta(days=1)).delete()


def start(role: str) -> None:
    """Beat in the background for as long as this process lives."""
    threading.Thread(target=_run, args=[role], name="heartbeat", daemon=True).start()


def _run(role: str) -> None:
    pause = threading.Event()
    while True:
        try:
            beat(role)
        except Error as error:
            log.warning("heartbeat.missed", reason=type(error).__name__)
        finally:
            connection.close()
        pause.wait(INTERVAL)
