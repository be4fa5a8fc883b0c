"""`make bench ARGS="scale"`: what one, two and three workers hold, each worker on a core of its own."""

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.console import say
from config.embedded.errors import StartError
from tests.load import bookkeeping, businesses, processes, report
from tests.load.bench import Bench
from tests.load.journal import Journal
from tests.load.scenarios import NUMBERS, post_until_not_held
from tests.load.system import BENCH_DIR, System, running_system
from tests.load.tree import PRESENT, Tree

MOST_WORKERS = 3
_RATES = [float(rate) for rate in range(60, 420, 40)]


@dataclass(frozen=True)
class PinnedTree(Tree):
    """This checkout with a worker on each of these cores."""

    worker_cores: tuple[int, ...] = ()

    def commands(self) -> dict[str, list[str]]:
        """Return the processes by name; each worker's command binds it to its core."""
        found = super().commands()
        worker = found["worker-1"]
        others = {name: command for name, command in found.items() if not name.startswith("worker-")}
        workers = {
            f"worker-{place}": ["taskset", "--cpu-list", str(core), *worker]
            for place, core in enumerate(self.worker_cores, start=1)
        }
        return others | workers


def main(words: Sequence[str]) -> int:
    """
    Measure and print a table; return 1 if a message went wrong or a ledger is wrong, else 0.

    :raises StartError: if there is no second core, or something does not start
    """
    wanted = _parse(words)
    machine = processes.description()
    say("Machine: " + report.pairs(machine))
    splits = splits_of(sorted(os.sched_getaffinity(0)))
    runs = [_run(workers, others, wanted) for workers, others in splits]
    say("\n" + as_markdown(runs))
    if len(splits) < MOST_WORKERS:
        say(f"{len(splits) + 1} workers on cores of their own need {len(splits) + 2} cores.")
    if wanted.json:
        wanted.json.write_text(report.as_json({"machine": machine, "runs": runs}))
    return 0 if all(run["is_right"] for run in runs) else 1


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="scale ..."',
        description="Measure one, two and three workers, each on a core of its own, all else on the others.",
    )
    parser.add_argument(
        "--rates", type=float, nargs="+", default=_RATES, help="messages a second, until one is not held"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each rate is posted (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    wanted = parser.parse_args(words)
    if wanted.seconds <= 0 or min(wanted.rates) <= 0:
        parser.error("--rates and --seconds must be above 0")
    return wanted


def splits_of(cores: Sequence[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """
    Return for one worker, two and three which cores are theirs and which are for all else.

    :raises StartError: if nothing can be kept apart from a worker
    """
    if len(cores) < 2:
        raise StartError("scale: a worker on a core of its own needs two cores.")
    if shutil.which("taskset") is None:
        raise StartError("scale: install taskset (the package util-linux).")
    most = min(MOST_WORKERS, len(cores) - 1)
    return [(tuple(cores[-count:]), tuple(cores[:-count])) for count in range(1, most + 1)]


def _run(
    worker_cores: tuple[int, ...], other_cores: tuple[int, ...], wanted: argparse.Namespace
) -> dict[str, Any]:
    count = len(worker_cores)
    say(f"{count} of {MOST_WORKERS}: workers on {worker_cores}, all else on {other_cores}")
    tree = PinnedTree(PRESENT.name, PRESENT.root, PRESENT.binaries, worker_cores=worker_cores)

    def prepare(system: System) -> None:
        businesses.prepare(system, businesses.each_with_its_own_number(NUMBERS))

    with (
        _bound_to(other_cores),
        running_system(tree, {}, prepare, keep_logs=BENCH_DIR / f"scale-{count}-log") as system,
    ):
        bench = Bench(system, Journal(system.simulator_url), NUMBERS, None)
        bench.warm_up()
        steps = post_until_not_held(bench, rates=wanted.rates, seconds=wanted.seconds)
        with system.database() as database:
            ledger = bookkeeping.check(database)
    say(report.steps(steps))
    faults = [report.faults(measured) for measured in bench.measured]
    return {
        "workers": count,
        "worker_cores": worker_cores,
        "other_cores": other_cores,
        "rate_held": max((step["rate"] for step in steps if step["held"]), default=0.0),
        "steps": steps,
        "is_right": bool(ledger["is_right"]) and not any(faults),
    }


@contextmanager
def _bound_to(cores: Sequence[int]) -> Iterator[None]:
    """Bind this process, and all that it starts, to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def as_markdown(runs: Sequence[dict[str, Any]]) -> str:
    """Return a table with the held rate of each number of workers, and its ratio to that of one worker."""
    lines = ["| workers | cores for all else | rate held, messages/s | ratio to one |", "|---|---|---|---|"]
    one = runs[0]["rate_held"]
    for run in runs:
        ratio = f"{run['rate_held'] / one:.2f}" if one else "-"
        lines.append(f"| {run['workers']} | {len(run['other_cores'])} | {run['rate_held']:g} | {ratio} |")
    return "\n".join(lines)
