"""The scenarios: what is posted to a fresh system, and what is kept of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from config.embedded.console import say
from tests.load import judgement, measurement, report
from tests.load.journal import Journal
from tests.load.plan import Load, planned
from tests.load.recording import Profile
from tests.load.system import System

NUMBERS = 200
_WARM_UP_COUNT = 300
_WARM_UP_RATE = 30


@dataclass
class Bench:
    """A running system, and who has written to it so far."""

    system: System
    journal: Journal
    numbers: int
    profile: Profile | None
    posted: int = 0
    customers: int = 0

    @property
    def posted_since_warm_up(self) -> int:
        return self.posted - _WARM_UP_COUNT

    def warm_up(self) -> None:
        """Have pools open and modules loaded, and customers who wrote before."""
        say("Warming up")
        self._post(rate=_WARM_UP_RATE, count=_WARM_UP_COUNT, profile=None)

    def post(self, *, rate: float, count: int) -> dict[str, Any]:
        """Post one go of load and measure it."""
        say(f"Posting {count} messages " + (f"at {rate:g}/s" if rate else "at once"))
        return self._post(rate=rate, count=count, profile=self.profile)

    def _post(self, *, rate: float, count: int, profile: Profile | None) -> dict[str, Any]:
        load = Load(
            rate=rate,
            count=count,
            numbers=self.numbers,
            known=self.customers,
            first_token=self.posted,
            seed=self.posted + 1,
        )
        measured = measurement.run(self.system, self.journal, load, profile)
        self.posted += count
        self.customers = 1 + max(self.customers - 1, *(message.customer for message in planned(load)))
        return measured


def steady(bench: Bench, *, rate: float, seconds: float) -> dict[str, Any]:
    """Post at one rate, to many numbers."""
    measured = bench.post(rate=rate, count=round(rate * seconds))
    say(report.table("steady", measured))
    return measured


def hot(bench: Bench, *, rate: float, seconds: float) -> dict[str, Any]:
    """Post at one rate, to a single number."""
    measured = bench.post(rate=rate, count=round(rate * seconds))
    say(report.table("hot, one number", measured))
    return measured


def burst(bench: Bench, *, count: int) -> dict[str, Any]:
    """Post as fast as the webhook takes it."""
    measured = bench.post(rate=0, count=count)
    say(report.table("burst", measured))
    return measured


def capacity(bench: Bench, *, rates: Iterable[float], seconds: float) -> dict[str, Any]:
    """Post at a rising rate until the backlog grows."""
    tried: list[dict[str, Any]] = []
    for rate in rates:
        measured = bench.post(rate=rate, count=round(rate * seconds))
        measured["held"] = judgement.is_held(measured["added_ms_by_quarter"])
        tried.append(measured)
        if not measured["held"]:
            break
    say(report.steps(tried))
    held = max((each["rate"] for each in tried if each["held"]), default=None)
    say(f"highest rate held: {f'{held:g}/s' if held else 'none'}")
    return {"highest_rate_held": held, "steps": tried}


RUNNERS: dict[str, Callable[..., dict[str, Any]]] = {
    "steady": steady,
    "hot": hot,
    "burst": burst,
    "capacity": capacity,
}
