# Speaks before Django reads its settings.
from tests import environment

# isort: split
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from config.embedded.servers import TemporaryServers, temporary_servers
from config.lib import redis
from tests import lock_order
from tests.rig import Rig, Simulator


def pytest_xdist_setupnodes() -> None:
    """
    Hide the name of the settings from workers before they start.

    With it pytest-django would read the settings before a worker has prepared an environment of its own.
    """
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


@receiver(connection_created)
def _wait_for_tests(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Let transactions of tests be idle for long: on a busy machine Python takes time between statements."""
    connection.connection.execute("SET idle_in_transaction_session_timeout = '10min'")


@pytest.fixture(scope="session", autouse=True)
def _recorded_locks() -> None:
    """Record in which order transactions take their locks."""
    lock_order.install()


@pytest.fixture(autouse=True)
def _lock_order(_recorded_locks) -> Iterator[None]:
    """Let a test fail in which a transaction of ours takes locks in another order than all others."""
    lock_order.recorder.faults.clear()
    yield
    assert not lock_order.recorder.faults


@pytest.fixture(scope="session")
def servers() -> Iterator[TemporaryServers]:
    """A real Postgres and a real Valkey, gone at the end."""
    with temporary_servers(environment.DATA_DIR) as running:
        prepare = running.postgres.prepare

        def prepare_again() -> None:
            # A connection from before a kill would fail the next test that uses it, and a pool waits longer
            # and longer for a server that is away.
            connections.close_all()
            for connection in connections.all(initialized_only=True):
                connection.close_pool()
            prepare()

        running.postgres.prepare = prepare_again
        yield running


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Leave the test database to end with its server: threads of ours may still have sessions in it."""
    return True


@pytest.fixture(scope="session")
def django_db_setup(servers, django_db_setup) -> None:
    """Have the servers up before pytest-django makes its database."""


@pytest.fixture
def valkey(servers, request):
    """An empty Valkey for one test; no worker of an earlier test takes jobs from its queues."""
    if "rig" not in request.fixturenames:
        request.getfixturevalue("_rig").stop_workers()
    redis.client().flushdb()
    redis.breaker.succeeded()
    return redis.client()


@pytest.fixture
def media_storage(settings, tmp_path) -> Path:
    """A folder of its own for the files of one test's messages."""
    folder = tmp_path / "media"
    options = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(folder)},
    }
    settings.STORAGES = {**settings.STORAGES, "default": options}
    return folder


@pytest.fixture(scope="session")
def _rig(servers) -> Iterator[Rig]:
    rig = Rig(servers)
    try:
        yield rig
    finally:
        rig.stop_all()


@pytest.fixture
def simulator(_rig: Rig) -> Simulator:
    """The simulator as a process, as it was when it started."""
    _rig.start("simulator")
    _rig.simulator.reset()
    return _rig.simulator


@pytest.fixture
def rig(_rig, simulator) -> Iterator[Rig]:
    """The whole system as processes: webhook, worker, extractor, sweeper, simulator."""
    _rig.migrate()
    _rig.start("webhook", "worker", "extractor", "sweeper")
    yield _rig
    _rig.settle()
