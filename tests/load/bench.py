"""A running system under load: who has written to it so far, and every measurement of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from config.embedded.console import say
from tests.load import measurement
from tests.load.journal import Journal
from tests.load.plan import Load, planned
from tests.load.recording import Profile
from tests.load.system import System

_WARM_UP_RATE = 30


@dataclass
class Bench:
    """A system whose numbers are written to; `measured` has all measurements, the warm-up's too."""

    system: System
    journal: Journal
    numbers: int
    profile: Profile | None
    warm_up_count: int = 300
    posted: int = 0
    customers: int = 0
    measured: list[dict[str, Any]] = field(default_factory=list)

    @property
    def posted_since_warm_up(self) -> int:
        """Return the number of messages that are measured."""
        return self.posted - self.warm_up_count

    def warm_up(self) -> None:
        """Open pools, load modules, and make customers who have written before."""
        say("Warming up")
        load = self.load(rate=_WARM_UP_RATE, count=self.warm_up_count)
        self.measured.append(measurement.run_one(self.system, self.journal, load))

    def load(self, *, rate: float, count: int, **more: Any) -> Load:
        """Return a load of messages that come after those posted so far, and count it as posted."""
        wanted = {"numbers": self.numbers, "known": self.customers} | more
        load = Load(rate=rate, count=count, first_token=self.posted, seed=self.posted + 1, **wanted)
        self.posted += count
        self.customers = 1 + max(self.customers - 1, *(message.customer for message in planned(load)))
        return load

    def post(
        self, *, rate: float, count: int, in_the_middle: Callable[[], None] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Post one load and measure it; `in_the_middle` is called when half of it is posted."""
        say(f"Posting {count} messages " + (f"at {rate:g}/s" if rate else "at once"))
        load = self.load(rate=rate, count=count, **more)
        measured = measurement.run_one(
            self.system, self.journal, load, self.profile, in_the_middle=in_the_middle
        )
        self.measured.append(measured)
        return measured

    def post_behind(self, backlog: Load, load: Load) -> dict[str, Any]:
        """Post a backlog while nothing is answered, then a load while the backlog is, and measure both."""
        say(f"Posting a backlog of {backlog.count} messages, then {load.count} messages")
        loads = (backlog, load)
        measured = measurement.run(self.system, self.journal, loads, self.profile, first_unanswered=True)
        self.measured.append(measured)
        return measured
