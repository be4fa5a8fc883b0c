"""`make bench ARGS="peers"`: ours and two other ways to do the same job, under the same load in turn."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from config.embedded.console import say
from tests.load import businesses, figures, markdown, processes, report
from tests.load.bench import Bench
from tests.load.comparison import QUIET_SHARE
from tests.load.journal import Journal
from tests.load.peers import peer
from tests.load.peers.peer import Peer
from tests.load.scenarios import NUMBERS, post_until_not_held
from tests.load.system import BENCH_DIR, System, running_system
from tests.load.tree import PRESENT, Service

OURS = "ours"
_WARM_UP_COUNT = 100
_KILLED = "worker-1"
_OTHERS = "others took, share of the machine"
_COUNTED = ("lost", "doubled", "out_of_order")
Figures = dict[str, float]


def main(words: Sequence[str]) -> int:
    """
    Measure the services and print a table; return 1 if ours did anything wrong, else 0.

    :raises StartError: if something cannot be installed or does not start
    """
    wanted = _parse(words)
    machine = processes.description()
    say("Machine: " + report.pairs(machine))
    services = [PRESENT, *peer.all_of_them()]
    runs = [_run(each, wanted, place) for place in range(1, wanted.rounds + 1) for each in services]
    summary = summarize(runs)
    say("\n" + as_markdown(summary))
    if max(each[_OTHERS] for each in summary.values()) > QUIET_SHARE:
        say("Others took too much of the machine to quote these figures: repeat when it is quiet.")
    if wanted.json:
        wanted.json.write_text(report.as_json({"machine": machine, "figures": summary, "runs": runs}))
    return int(any(run["faults"] for run in runs if run["service"] == OURS))


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="peers ..."',
        description="Measure this service, one on procrastinate and one on Celery with Redis locks, in turn.",
    )
    parser.add_argument(
        "--rates",
        type=float,
        nargs="+",
        default=[30.0, 60.0],
        help="messages a second, rising, until one is not held; a worker is killed at the first (30 60)",
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each rate is posted (10)")
    parser.add_argument("--recovery", type=float, default=10.0, help="seconds until a worker is dead (10)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each service is measured (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    wanted = parser.parse_args(words)
    if wanted.rounds < 1 or wanted.seconds <= 0 or wanted.recovery < 1 or min(wanted.rates) <= 0:
        parser.error("--rates and --seconds must be above 0, --rounds and --recovery at least 1")
    return wanted


def _run(service: Service, wanted: argparse.Namespace, place: int) -> dict[str, Any]:
    """Measure one service from an empty folder: each rate, then the first rate with a worker killed."""
    name = service.name if isinstance(service, Peer) else OURS
    say(f"Round {place} of {wanted.rounds}: {name}")
    logs = BENCH_DIR / f"peers-{place}-{name}-log"
    with running_system(
        service, peer.variables(wanted.recovery), _preparation(service), keep_logs=logs
    ) as system:
        bench = Bench(system, Journal(system.simulator_url), NUMBERS, None, _WARM_UP_COUNT)
        bench.warm_up()
        steps = post_until_not_held(bench, rates=wanted.rates, seconds=wanted.seconds)
        killed = bench.post(
            rate=wanted.rates[0],
            count=round(wanted.rates[0] * wanted.seconds),
            in_the_middle=lambda: system.kill_and_restart(_KILLED),
        )
        complaints = system.complaints()
    # Of a process that was killed nobody knows what it took.
    killed = {key: value for key, value in killed.items() if key not in {"usage", "memory_mib"}}
    faults: dict[str, int] = {}
    for measured in (*bench.measured[:-1], killed):
        for fault, count in report.faults(measured).items():
            faults[fault] = faults.get(fault, 0) + count
    say(report.steps(steps))
    say(report.row("wrong", report.pairs(faults) or "nothing"))
    say(report.row("logged", report.pairs(complaints) or "nothing"))
    return {
        "service": name,
        "figures": figures_of(steps, killed),
        "steps": steps,
        "killed": killed,
        "faults": faults,
        "lines_logged": complaints,
    }


def _preparation(service: Service) -> Callable[[System], None]:
    def prepare(system: System) -> None:
        if isinstance(service, Peer):
            with system.database() as database:
                service.prepare(database, NUMBERS)
        else:
            businesses.prepare(system, businesses.each_with_its_own_number(NUMBERS))

    return prepare


def figures_of(steps: Sequence[dict[str, Any]], killed: dict[str, Any]) -> Figures:
    """Return the figures of a run by name, units included."""
    found = {"rate held, messages/s": max((each["rate"] for each in steps if each["held"]), default=0.0)}
    for each in steps:
        at = f"at {each['rate']:g}/s"
        found |= {f"added {at} {name}, ms": each["added_ms"][name] for name in ("p50", "p99")}
        found[f"CPU of service {at}, ms a message"] = figures.cpu(each)["CPU of service, ms a message"]
        found |= {f"{at}: {_words(name)}": each[name] for name in _COUNTED}
    found |= {f"kill -9: {_words(name)}": killed[name] for name in _COUNTED}
    found["kill -9: slowest reply, s"] = killed["added_ms"]["max"] / 1000
    found[_OTHERS] = figures.others_share({"steps": steps})
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def summarize(runs: Sequence[dict[str, Any]]) -> dict[str, Figures]:
    """Return each service's figures over all rounds: messages that went wrong added up, else the median."""
    summary: dict[str, Figures] = {}
    for service in dict.fromkeys(run["service"] for run in runs):
        own = [run["figures"] for run in runs if run["service"] == service]
        summary[service] = {
            name: combined([each[name] for each in own if name in each])
            for name in dict.fromkeys(name for each in own for name in each)
            for combined in [sum if name.endswith(tuple(map(_words, _COUNTED))) else median]
        }
    return summary


def as_markdown(summary: dict[str, Figures]) -> str:
    """Format the figures as a table, with each figure of another service also as a ratio to ours."""
    ours, others = summary[OURS], {name: each for name, each in summary.items() if name != OURS}
    names = dict.fromkeys(name for each in summary.values() for name in each)
    return markdown.table(
        ["", OURS, *(title for name in others for title in (name, f"{name} : {OURS}"))],
        [[name, markdown.number(ours.get(name)), *_compared(name, ours, others.values())] for name in names],
    )


def _compared(name: str, ours: Figures, others: Iterable[Figures]) -> list[str]:
    cells = []
    for each in others:
        value, base = each.get(name), ours.get(name)
        cells += [markdown.number(value), markdown.number(value / base if value and base else None)]
    return cells
