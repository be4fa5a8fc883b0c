import hashlib
from dataclasses import dataclass

import pytest

from billing import keys
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
    key = keys.new()
    rig.rows(
        "INSERT INTO api_keys (prefix, hashed_key, name, created_at)"
        " VALUES (%s, %s, 'operator', now()) RETURNING prefix",
        key.split("_")[1],
        hashlib.sha256(key.encode()).hexdigest(),
    )
    return Live(rig, key)
