# Speaks before Django reads its settings.
from tests import environment

# isort: split
from collections.abc import Iterator

import pytest

from config.embedded.servers import TemporaryServers, temporary_servers
from config.lib import redis
from tests.rig import Rig, Simulator


@pytest.fixture(scope="session")
def servers() -> Iterator[TemporaryServers]:
    """A real Postgres and a real Valkey, gone at the end."""
    with temporary_servers(environment.DATA_DIR) as running:
        yield running


@pytest.fixture(scope="session")
def django_db_setup(servers, django_db_setup) -> None:
    """Have the servers up before pytest-django makes its database."""


@pytest.fixture
def valkey(servers):
    """An empty Valkey for one test."""
    redis.client().flushdb()
    redis.breaker.succeeded()
    return redis.client()


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
