from dataclasses import dataclass

import pytest

from tests import environment
from tests.rig import Rig


@dataclass(frozen=True)
class Live:
    """The whole system as `make run` starts it, for examples that are run as they stand."""

    rig: Rig
    operator_key: str
    api: str = environment.API_URL
    simulator: str = environment.SIMULATOR_URL


@pytest.fixture
def live(rig) -> Live:
    rig.start("web")
    return Live(rig, rig.key())
