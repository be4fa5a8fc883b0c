"""`make soak`: an hour at a steady rate, with the memory of each process and the latency over time."""

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from config.embedded.console import say
from config.embedded.errors import StartError
from tests.load import bookkeeping, businesses, markdown, processes, report
from tests.load.bench import Bench
from tests.load.journal import Journal
from tests.load.sampling import Growth, Samples, sampled
from tests.load.scenarios import NUMBERS
from tests.load.system import BENCH_DIR, STOP_SIGNALS, System, running_system
from tests.load.tree import PRESENT

# The simulator's journal is judged and emptied after each part.
_PART_SECONDS = 300
_SAMPLE_SECONDS = 10.0
_INTERRUPTED = 130


def main(words: Sequence[str]) -> int:
    """Run the soak and print its tables; return 1 if a message went wrong or the ledger is wrong, else 0."""
    wanted = _parse(words)
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    machine = processes.description()
    say("Machine: " + report.pairs(machine))
    try:
        document = _run(rate=wanted.rate, seconds=wanted.minutes * 60)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if wanted.json:
        wanted.json.write_text(report.as_json({"machine": machine, **document}))
    return 0 if document["is_right"] else 1


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Load the system steadily for long.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second (50)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write samples and figures to this file")
    wanted = parser.parse_args(words)
    if wanted.minutes <= 0 or wanted.rate <= 0:
        parser.error("--minutes and --rate must be above 0")
    return wanted


def _run(*, rate: float, seconds: float) -> dict[str, Any]:
    """Post part by part, and return the figures of each part and the samples of the whole time."""

    def prepare(system: System) -> None:
        businesses.prepare(system, businesses.each_with_its_own_number(NUMBERS))

    with running_system(PRESENT, {}, prepare, keep_logs=BENCH_DIR / "soak-log") as system:
        bench = Bench(system, Journal(system.simulator_url), NUMBERS, profile=None)
        bench.warm_up()
        with sampled(system.pids, every_seconds=_SAMPLE_SECONDS) as samples:
            for part in parts(seconds):
                bench.post(rate=rate, count=round(rate * part))
                bench.journal.clear()
                say(part_line(bench.measured[-1]))
        with system.database() as database:
            ledger = bookkeeping.check(database)
        complaints = system.complaints()
    measured = bench.measured[1:]
    say("\n" + table(samples))
    say("\n" + report.ledger(ledger))
    say(report.row("logged", report.pairs(complaints) or "nothing"))
    return {
        "rate": rate,
        "parts": measured,
        "samples": asdict(samples),
        "growth": {name: asdict(each) for name, each in samples.growth().items()},
        "ledger": ledger,
        "lines_logged": complaints,
        "is_right": ledger["is_right"] and not any(map(report.faults, bench.measured)),
    }


def parts(seconds: float) -> list[float]:
    """Divide a time into equal parts, none longer than five minutes; in seconds."""
    count = math.ceil(seconds / _PART_SECONDS)
    return [seconds / count] * count


def part_line(measured: dict[str, Any]) -> str:
    """Format one part as a line."""
    added = measured["added_ms"]
    wrong = report.pairs(report.faults(measured)) or "nothing wrong"
    return f"  {measured['messages']} messages: added p50 {added['p50']:g}, p99 {added['p99']:g} ms; {wrong}"


def table(samples: Samples) -> str:
    """Format the memory of each process as a table, the fastest growing first."""
    ordered = sorted(samples.growth().items(), key=lambda pair: -pair[1].mib_an_hour)
    return markdown.table(
        ["process", "MiB at first", "at the end", "peak", "MiB an hour, without the first quarter", ""],
        [[name, *_cells(each)] for name, each in ordered],
    )


def _cells(growth: Growth) -> list[str]:
    sizes = (growth.first_mib, growth.last_mib, growth.peak_mib)
    return [*(f"{mib:.0f}" for mib in sizes), f"{growth.mib_an_hour:+.1f}", growth.graph]


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
