"""
The state of the whole service as metrics: what waits in Postgres and in Redis, and which roles run.

Whichever process is asked reads the same. What was read is kept for a few seconds, so that several
Prometheus servers cost no more than one.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from config import readiness
from config.lib import errors, heartbeat, redis, sql
from config.monitoring.families import gauge, gauge_by
from config.monitoring.service_query import SERVICE_SQL

log = structlog.get_logger(__name__)

# Seconds for which the answer of Postgres and Redis is kept.
KEPT_FOR = 5.0
# So many rows are counted at most.
MOST = 10_000
MOST_LETTERS = 1000
PATIENCE = "3s"
# Tables whose rows are written again and again.
HOT_TABLES = (
    "channel_events", "conversations", "credits", "customers", "deliveries", "events", "extractions",
    "heartbeats", "inbound_messages", "messages", "turns", "webhook_deliveries",
)  # fmt: skip
_TURN_STATES = ("claimed", "answered")
_DELIVERY_STATES = ("pending", "sending")
_RUN_STATES = ("waiting", "running")
_POST_STATES = ("due", "later", "paused", "disabled")

# The name and the text of what the statement gives by the name of its column.
_COUNTS = {
    "waiting_turns": "Customers who are due for a reply and wait for a worker.",
    "customers_without_agent": "Customers who wait on a number on which no agent answers.",
    "expired_leases": "Open turns whose holder is gone, and that nobody took over.",
    "poison_turns": "Open turns that lost two holders or more.",
    "unknown_messages": "Messages of which nobody knows whether they arrived.",
    "failed_messages": "Messages that failed within the last hour.",
    "dead_letters": f"Bodies that could not be read or stored, among the newest {MOST_LETTERS}.",
    "waiting_channel_events": "Statuses and other events of channels that wait.",
    "quiet_conversations": "Conversations that wait to be looked at for a lead.",
    "disabled_endpoints": "Webhook endpoints that were switched off.",
    "waiting_emails": "E-mails that are due.",
    "businesses_without_credits": "Businesses that cannot pay for a reply.",
}
_AGES = {
    "oldest_waiting_turn": "How long the customer who waits longest has been due.",
    "oldest_open_turn": "Age of the oldest open turn.",
    "oldest_open_delivery": "Age of the oldest part of a reply that is not sent.",
    "oldest_channel_event": "How long the oldest event of a channel has been due.",
    "oldest_lead_run": "How long the oldest reading for a lead has been due.",
    "oldest_endpoint_delivery": "How long the oldest event for an endpoint that takes events has been due.",
    "oldest_email": "How long the oldest e-mail has been due.",
    "last_message": "Time since the last message of any customer.",
    "oldest_transaction": "Age of the oldest open transaction.",
}
_STATES = {
    "open_turns": ("Open turns.", "state", _TURN_STATES),
    "open_deliveries": ("Parts of replies that are not sent.", "state", _DELIVERY_STATES),
    "lead_runs": ("Readings for leads that are open.", "status", _RUN_STATES),
    "endpoint_deliveries": ("Events on their way to businesses.", "state", _POST_STATES),
    "numbers_with_errors": ("Numbers whose channel refused them within the last hour.", "code", ()),
}


class _Kept:
    """What a function returned, for KEPT_FOR seconds; callers at the same time wait for one call."""

    def __init__(self, read: Callable[[], list[Metric]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value: list[Metric] = []
        self._until = 0.0

    def __call__(self) -> list[Metric]:
        """Return it."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._value = self._read()
                self._until = time.monotonic() + KEPT_FOR
            return self._value


class ServiceCollector(Collector):
    """Every metric of the service as a whole."""

    def __init__(self) -> None:
        self._sources = [_Kept(_postgres), _Kept(_redis)]

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read every source; one that is away says so and hides no other."""
        for source in self._sources:
            yield from source()


# --- Postgres ----------------------------------------------------------------------------------------


def _postgres() -> list[Metric]:
    began = time.perf_counter()
    try:
        row = [*_of_row(read_row()), *_of_roles(heartbeat.read())]
    except Exception as error:  # noqa: BLE001  (whatever it is, the other metrics are shown)
        log.warning("metrics.postgres_not_read", reason=errors.summary(error))
        sql.discard_if_read_only(error)
        return [_up("postgres", is_up=False)]
    finally:
        sql.release_connection()
    took = time.perf_counter() - began
    return [
        _up("postgres", is_up=True),
        gauge("service_query_seconds", "Reading Postgres for this.", took),
        *row,
    ]


def read_row() -> dict[str, Any]:
    """Return the row of SERVICE_SQL."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{PATIENCE}'")
        row = sql.row(
            SERVICE_SQL,
            {
                "most": MOST,
                "most_letters": MOST_LETTERS,
                "price": settings.CREDITS_PER_REPLY,
                "tables": list(HOT_TABLES),
            },
        )
    assert row is not None
    return row


def _up(name: str, *, is_up: bool) -> Metric:
    return gauge(f"{name}_up", f"1 if {name.title()} answered.", int(is_up))


def _of_row(row: dict[str, Any]) -> Iterator[Metric]:
    for name, text in _COUNTS.items():
        yield gauge(name, text, row[name])
    for name, text in _AGES.items():
        seconds = (row["now"] - row[name]).total_seconds() if row[name] else 0
        yield gauge(f"{name}_seconds", f"{text} 0 = none.", max(seconds, 0))
    for name, (text, label, states) in _STATES.items():
        counts = sql.from_jsonb(row[name] or "{}")
        yield gauge_by(name, text, label, (dict.fromkeys(states, 0) | counts).items())
    tables = sorted(sql.from_jsonb(row["tables"] or "{}").items())
    for place, (name, text) in enumerate(
        (("rows", "Live rows."), ("dead_rows", "Dead rows."), ("bytes", "Size with indexes."))
    ):
        values = ((table, figures[place]) for table, figures in tables)
        yield gauge_by(f"table_{name}", f"{text} As Postgres' statistics have it.", "table", values)
    yield gauge("postgres_writable", "1 if Postgres takes writes.", int(row["is_writable"]))
    yield gauge("postgres_connections", "Connections of all clients.", row["connections"])
    yield gauge("postgres_max_connections", "Postgres' max_connections.", row["max_connections"])
    yield gauge("postgres_transaction_ids", "Age of the oldest row not frozen.", row["transaction_ids"])


def _of_roles(beats: list[heartbeat.Beat]) -> Iterator[Metric]:
    running = [role for beat in beats if beat.is_fresh for role in readiness.roles_of(beat)]
    counts = [(role, running.count(role)) for role in settings.HEALTH_ROLES]
    yield gauge_by("role_processes", "Processes with a heartbeat, of each expected role.", "role", counts)
    yield gauge("unread_queues", "Queues that no process reads.", len(readiness.unread_queues(beats)))


# --- Redis -------------------------------------------------------------------------------------------


def _redis() -> list[Metric]:
    try:
        return [_up("redis", is_up=True), *redis.call(_read_redis)]
    except redis.RedisUnavailableError:
        return [_up("redis", is_up=False)]


def _read_redis() -> list[Metric]:
    client = redis.client()
    info: dict[str, Any] = client.info("memory")
    return [
        gauge("spool_entries", "Webhooks that wait in the spool.", client.llen(redis.SPOOL_KEY)),
        gauge("spool_bytes", "Their size.", int(client.get(redis.SPOOL_BYTES_KEY) or 0)),
        gauge("spool_max_entries", "REDIS_QUEUE_MAX_SIZE.", settings.REDIS_QUEUE_MAX_SIZE),
        gauge("redis_bytes", "Memory that Redis uses.", info.get("used_memory", 0)),
        gauge("redis_max_bytes", "Redis' maxmemory; 0 = no limit.", info.get("maxmemory", 0)),
    ]
