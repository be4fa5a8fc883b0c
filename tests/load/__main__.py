"""`make bench`: measures the system as deployed, on this machine. `make bench ARGS=--help` tells how."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from config.embedded.console import say
from config.embedded.errors import StartError
from tests.load import bookkeeping, businesses, processes, report, scenarios, statements
from tests.load.journal import Journal
from tests.load.recording import SUFFIXES, Profile
from tests.load.system import BENCH_DIR, STOP_SIGNALS, System, running_system

_INTERRUPTED = 130
_DEFAULTS: dict[str, dict[str, Any]] = {
    "steady": {"rate": 100.0, "seconds": 120.0},
    "hot": {"rate": 80.0, "seconds": 60.0},
    "burst": {"count": 5000},
    "capacity": {"rates": [float(rate) for rate in range(100, 260, 20)], "seconds": 25.0},
}


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    machine = processes.description()
    say("Machine: " + ", ".join(f"{name} {value}" for name, value in machine.items()))
    try:
        names = [options.scenario] if options.scenario else list(_DEFAULTS)
        are_right = [_measure(name, options, machine) for name in names]
    except KeyboardInterrupt:
        return _INTERRUPTED
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0 if all(are_right) else 1


def _measure(name: str, options: argparse.Namespace, machine: dict[str, object]) -> bool:
    """Run one scenario on a system of its own, keep its numbers, and tell whether every message was right."""
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"  # noqa: DTZ005 - a file's name for whoever sits here
    profile = _profile(options, stamp)
    arguments = _arguments(name, options)
    numbers = 1 if name == "hot" else scenarios.NUMBERS

    def prepare(system: System) -> None:
        businesses.insert(system, count=numbers)

    changes = dict(change.partition("=")[::2] for change in options.env)
    began = time.monotonic()
    with running_system(
        changes, prepare, keep_logs=BENCH_DIR / f"{stamp}-log", with_statements=options.statements
    ) as system:
        bench = scenarios.Bench(system, Journal(system.simulator_url), numbers, profile)
        bench.warm_up()
        if options.statements:
            with system.database() as database:
                statements.begin(database)
        measured = scenarios.RUNNERS[name](bench, **arguments)
        if options.statements:
            with system.database() as database:
                measured["statements"] = [statements.totals(database), *statements.top(database)]
            say(statements.table(measured["statements"], bench.posted_since_warm_up))
        checked = bookkeeping.check(system)
        complaints = system.complaints()
    say(report.ledger(checked))
    say(report.row("logged", report.pairs(complaints) or "nothing"))
    document = {
        "scenario": name,
        "arguments": arguments,
        "environment": changes,
        "machine": machine,
        **measured,
        "ledger": checked,
        "lines_logged": complaints,
    }
    file = BENCH_DIR / f"{stamp}.json"
    file.write_text(json.dumps(document, indent=1))
    say(f"kept in {file}" + (f", profile in {profile.file}" if profile else ""))
    say(f"took {time.monotonic() - began:.0f} s in all\n")
    goes = measured.get("steps", [measured])
    return bool(checked["is_right"]) and not any(go["left"] or report.faults(go) for go in goes)


def _arguments(name: str, options: argparse.Namespace) -> dict[str, Any]:
    defaults = _DEFAULTS[name]
    given = {key: getattr(options, key) for key in defaults if getattr(options, key) is not None}
    return defaults | given


def _profile(options: argparse.Namespace, stamp: str) -> Profile | None:
    if options.profile is None:
        return None
    file = BENCH_DIR / f"{stamp}-{options.profile}.{SUFFIXES[options.profile_format]}"
    return Profile(options.profile, options.profile_format, Path(file))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "scenario", nargs="?", choices=_DEFAULTS, help="without one: all, one after the other"
    )
    parser.add_argument("--rate", type=float, help="messages a second (steady 100, hot 80)")
    parser.add_argument(
        "--seconds", type=float, help="how long (steady 120, hot 60, each step of capacity 25)"
    )
    parser.add_argument("--count", type=int, help="messages of the burst (5000)")
    parser.add_argument("--rates", type=float, nargs="+", help="steps of capacity (100 120 … 240)")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for all processes")
    parser.add_argument("--statements", action="store_true", help="show what Postgres did, by statement")
    parser.add_argument(
        "--profile", metavar="PROCESS", help="py-spy: worker-1, webhook, simulator, sweeper …"
    )
    parser.add_argument("--profile-format", choices=SUFFIXES, default="raw")
    return parser


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


sys.exit(main(sys.argv[1:]))
