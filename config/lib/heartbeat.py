"""
Heartbeats: each process writes every few seconds that it is alive, and which queues it reads.

They are rows in Postgres, since asking workers over Redis fails when Redis does.
"""

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection
from django.db.models.functions import Now
from django.utils import timezone

from config.lib import sql
from config.models import Heartbeat

log = structlog.get_logger(__name__)

INTERVAL = 5.0
STALE_AFTER = timedelta(seconds=20)
# Host and port where this process shows its metrics; empty = nowhere.
metrics_address = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest heartbeat of one process; `queues` are None where the process did not name any."""

    role: str
    queues: tuple[str, ...] | None
    beat_at: datetime
    is_fresh: bool


def instance() -> str:
    """Name this process."""
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def beat(role: str, queues: Sequence[str] | None = None) -> None:
    """Store that this process is alive."""
    named = None if queues is None else list(queues)
    known = {"role": role, "queues": named, "beat_at": Now(), "metrics_address": metrics_address}
    Heartbeat.objects.update_or_create(instance=instance(), defaults=known)


def read_metrics_addresses() -> list[tuple[str, str]]:
    """Return role and address of each running process whose metrics can be read."""
    rows = sql.rows(_METRICS_ADDRESSES_SQL, [STALE_AFTER.total_seconds()])
    return [(row["role"], row["metrics_address"]) for row in rows]


_METRICS_ADDRESSES_SQL = """
    SELECT role, metrics_address FROM heartbeats
     WHERE metrics_address <> '' AND beat_at > statement_timestamp() - make_interval(secs => %s)
     ORDER BY role, metrics_address
"""


def read() -> list[Beat]:
    """Return the heartbeats of all processes of the last day, by Postgres' clock."""
    rows = sql.rows(_READ_SQL, [STALE_AFTER.total_seconds()])
    return [Beat(**row | {"queues": None if row["queues"] is None else tuple(row["queues"])}) for row in rows]


_READ_SQL = """
    SELECT role, queues, beat_at, beat_at > statement_timestamp() - make_interval(secs => %s) AS is_fresh
      FROM heartbeats
"""


def forget_the_dead() -> None:
    """Delete the rows of processes that have been silent for a day."""
    Heartbeat.objects.filter(beat_at__lt=timezone.now() - timedelta(days=1)).delete()


def start(role: str, queues: Sequence[str] | None = None) -> None:
    """Beat in the background for as long as this process lives."""
    threading.Thread(target=_run, args=[role, queues], name="heartbeat", daemon=True).start()


def _run(role: str, queues: Sequence[str] | None) -> None:
    pause = threading.Event()
    while True:
        try:
            beat(role, queues)
        except Error as error:
            sql.discard_if_read_only(error)
            log.warning("heartbeat.missed", reason=type(error).__name__)
        finally:
            connection.close()
        pause.wait(INTERVAL)
