import pytest

from tests.chaos.stage import Stage


@pytest.fixture(scope="module")
def _settled(_rig):
    """Leave the processes as they are from test to test of a module, and put them back after the last."""
    yield
    _rig.settle()


@pytest.fixture
def stage(_rig, _settled, simulator) -> Stage:
    """The processes, to be killed: with short leases, and with a worker and a sweeper to spare."""
    _rig.migrate()
    return Stage(_rig)
