"""The beginning of a process of the service: its heartbeat and its metrics."""

import socket
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from prometheus_client import GCCollector, ProcessCollector
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from config.lib import heartbeat, metrics
from config.monitoring import server
from config.monitoring.families import gauge

_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104  (compared with, not bound to)


def start(role: str, queues: Sequence[str] | None = None) -> None:
    """Show the process's metrics, and beat in the background for as long as it lives."""
    serve(role)
    heartbeat.start(role, queues)


def serve(role: str) -> None:
    """Show the process's metrics on a port of its own, if METRICS_PORT is set."""
    if not settings.METRICS_PORT:
        return
    ProcessCollector(registry=metrics.REGISTRY)
    GCCollector(registry=metrics.REGISTRY)
    metrics.REGISTRY.register(_Identity(role))
    metrics.REGISTRY.register(Connections())
    port = server.start(host=settings.METRICS_HOST, first_port=settings.METRICS_PORT)
    if port is not None:
        heartbeat.metrics_address = f"{reachable(settings.METRICS_HOST)}:{port}"


def reachable(host: str) -> str:
    """Return the host under which other machines reach an address that is listened on."""
    return socket.gethostname() if host in _EVERY_ADDRESS else f"[{host}]" if ":" in host else host


class _Identity(Collector):
    """Which role and version this process has."""

    def __init__(self, role: str) -> None:
        self._role = role

    def collect(self) -> Iterator[Metric]:
        """Return the one metric."""
        about = {"role": self._role, "version": settings.APP_VERSION}
        yield InfoMetricFamily("agents_process", "Role and version of the process.", value=about)


class Connections(Collector):
    """The pool of database connections of this process."""

    def collect(self) -> Iterator[Metric]:
        """Return how large the pool is and who waits for it; nothing before the first connection."""
        # `connection.pool` would open it.
        pools = connections[DEFAULT_DB_ALIAS]._connection_pools  # type: ignore[attr-defined]  # noqa: SLF001
        pool = pools.get(DEFAULT_DB_ALIAS)
        if pool is None:
            return
        stats = pool.get_stats()
        yield gauge("database_pool_size", "Connections that the pool holds.", stats.get("pool_size", 0))
        yield gauge("database_pool_max", "Connections that the pool may hold.", stats.get("pool_max", 0))
        yield gauge("database_pool_free", "Connections nobody uses.", stats.get("pool_available", 0))
        yield gauge("database_pool_waiting", "Threads that wait for one.", stats.get("requests_waiting", 0))
