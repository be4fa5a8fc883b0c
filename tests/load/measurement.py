"""One go of load against the running system: post it, wait until all is quiet, collect."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.embedded import paths
from config.embedded.console import step
from config.embedded.privileges import bound_to_parent
from tests.load import processes, results
from tests.load.generator import Order
from tests.load.journal import Journal
from tests.load.plan import Load
from tests.load.recording import Profile
from tests.load.system import System

# So long the rest may stand still, and take in all, before the wait ends.
_STUCK_SECONDS = 30
_QUIET_SECONDS = 600
_GENERATOR = "generator"


@dataclass
class Usage:
    """What was taken from the machine between two moments."""

    roots: dict[str, int]
    cpu: dict[str, float] = field(default_factory=dict)
    machine: dict[str, float] = field(default_factory=dict)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.cpu = processes.cpu_seconds(self.roots)
        self.machine = processes.machine_seconds()
        self.began = time.time()

    def until_now(self, generator_seconds: float) -> dict[str, Any]:
        after, machine = processes.cpu_seconds(self.roots), processes.machine_seconds()
        cpu = {name: after[name] - self.cpu[name] for name in self.roots} | {_GENERATOR: generator_seconds}
        passed = {name: machine[name] - self.machine[name] for name in machine}
        return {
            "seconds": time.time() - self.began,
            "cpu_seconds": cpu,
            "machine": passed | {"others": max(0.0, passed["busy"] - sum(cpu.values()))},
        }


def run(
    system: System,
    journal: Journal,
    loads: Sequence[Load],
    profile: Profile | None = None,
    *,
    first_unanswered: bool = False,
    in_the_middle: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """
    Post loads one after the other, wait until all is answered, and return what was measured.

    With `first_unanswered` nothing is answered before all of the first load is posted. `in_the_middle` is
    called when half of each load is posted. `loads` in the result
    is a list with the figures of each load; all else is of all loads together.
    """
    outcomes = []
    usage: Usage | None = None
    try:
        for load in loads:
            is_held_up = first_unanswered and load is loads[0]
            with (
                system.answering_paused() if is_held_up else nullcontext(),
                _generator(system, load) as generator,
            ):
                usage = usage or Usage(system.pids)
                if profile and not profile.recorder:
                    profile.start(system)
                if in_the_middle:
                    time.sleep(load.seconds / 2)
                    in_the_middle()
                outcomes.append(_finished(generator, system))
    finally:
        if profile:
            profile.stop()
    assert usage is not None
    # Now, at the end of the load, pools and backlogs are at their largest.
    memory = processes.memory_mib(system.pids)
    left = _wait_until_quiet(system)
    taken = usage.until_now(sum(outcome["cpu"] for outcome in outcomes))
    measured = results.collect(journal, loads, outcomes) | {
        "usage": taken,
        "memory_mib": memory,
        "left": left,
    }
    journal.skip()
    return measured


def run_one(
    system: System,
    journal: Journal,
    load: Load,
    profile: Profile | None = None,
    *,
    in_the_middle: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Post one load, and return its figures together with all else that was measured."""
    measured = run(system, journal, [load], profile, in_the_middle=in_the_middle)
    [figures] = measured.pop("loads")
    return figures | measured


@contextmanager
def _generator(system: System, load: Load) -> Iterator[subprocess.Popen[bytes]]:
    """Start the generator, and wait until it is about to post."""
    order = Order(system.webhook_url, system.environment["WEBHOOK_SECRET"], load, str(_result(system)))
    generator = subprocess.Popen(
        bound_to_parent([sys.executable, "-m", "tests.load.generator", order.words()]),
        cwd=paths.PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert generator.stdout is not None
        start = json.loads(generator.stdout.readline())["start"]
        time.sleep(max(0.0, start - time.time() - 0.05))
        yield generator
    finally:
        generator.kill()
        generator.wait()


def _finished(generator: subprocess.Popen[bytes], system: System) -> dict[str, Any]:
    """
    Wait until the generator ends, and return what happened to its requests.

    :raises RuntimeError: if it failed
    """
    if generator.wait():
        message = f"the load generator failed with {generator.returncode}"
        raise RuntimeError(message)
    outcome: dict[str, Any] = json.loads(_result(system).read_text())
    return outcome


def _result(system: System) -> Path:
    return system.data_dir / "generator.json"


def _wait_until_quiet(system: System) -> int:
    """Wait until nothing waits, nobody works and every status is in; give what is left."""
    began = moved = time.monotonic()
    left = math.inf
    with step("Waiting until all is answered and quiet"), system.database() as database:
        while (
            left and time.monotonic() - moved < _STUCK_SECONDS and time.monotonic() - began < _QUIET_SECONDS
        ):
            row = database.execute(system.service.left_sql, system.filled_until).fetchone()
            assert row is not None
            if row["n"] < left:
                left, moved = row["n"], time.monotonic()
            time.sleep(0.5)
    return int(left)
