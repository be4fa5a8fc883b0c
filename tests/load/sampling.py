"""The memory of processes over time, and how fast it grows."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import linear_regression

from tests.load import processes

# Until then caches and pools fill.
_SETTLED_AFTER = 0.25
_BARS = "▁▂▃▄▅▆▇█"
_SECONDS_AN_HOUR = 3600


@dataclass(frozen=True)
class Growth:
    """One process: MiB at the first and last sample and at the peak, and MiB an hour once it has settled."""

    first_mib: float
    last_mib: float
    peak_mib: float
    mib_an_hour: float
    graph: str


@dataclass
class Samples:
    """Memory in MiB by process, at seconds since the first sample."""

    seconds: list[float] = field(default_factory=list)
    mib: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seconds: float, mib: Mapping[str, float]) -> None:
        """Add one sample."""
        self.seconds.append(seconds)
        for name, value in mib.items():
            self.mib.setdefault(name, []).append(round(value, 1))

    def growth(self) -> dict[str, Growth]:
        """Return how the memory of each process grew."""
        return {name: self._growth(values) for name, values in self.mib.items()}

    def _growth(self, values: Sequence[float]) -> Growth:
        begin = int(len(values) * _SETTLED_AFTER)
        settled, seconds = values[begin:], self.seconds[begin:]
        slope = linear_regression(seconds, settled).slope if len(settled) > 1 else 0.0
        return Growth(
            first_mib=values[0],
            last_mib=values[-1],
            peak_mib=max(values),
            mib_an_hour=round(slope * _SECONDS_AN_HOUR, 1),
            graph=graph(values),
        )


@contextmanager
def sampled(pids: Mapping[str, int], *, every_seconds: float) -> Iterator[Samples]:
    """Sample the memory of processes with their children as long as the block runs."""
    samples, end = Samples(), threading.Event()
    began = time.monotonic()

    def sample() -> None:
        is_over = False
        while not is_over:
            taken = processes.memory_mib(dict(pids))
            samples.add(time.monotonic() - began, {name: each["now"] for name, each in taken.items()})
            is_over = end.wait(every_seconds)

    thread = threading.Thread(target=sample, name="memory")
    thread.start()
    try:
        yield samples
    finally:
        end.set()
        thread.join()


def graph(values: Sequence[float], *, width: int = 40) -> str:
    """Draw values as a line of at most `width` bars, from zero to their maximum."""
    highest = max(values, default=0.0) or 1.0
    columns = min(width, len(values))
    means = [
        values[place * len(values) // columns : (place + 1) * len(values) // columns]
        for place in range(columns)
    ]
    return "".join(_BARS[round(sum(part) / len(part) / highest * (len(_BARS) - 1))] for part in means)
