"""One scenario on one revision's system, from an empty folder to a judged document of figures."""

import argparse
import time
from datetime import datetime
from typing import Any

from config.embedded.console import say
from tests.load import (
    bookkeeping,
    businesses,
    figures,
    history,
    options,
    processes,
    report,
    statements,
    tables,
)
from tests.load.bench import Bench
from tests.load.journal import Journal
from tests.load.recording import SUFFIXES, Profile
from tests.load.scenarios import SCENARIOS
from tests.load.system import BENCH_DIR, System, running_system
from tests.load.tree import Tree


def run(name: str, wanted: argparse.Namespace, tree: Tree) -> dict[str, Any]:
    """
    Run a scenario on a fresh system, keep its document in BENCH_DIR, and return it.

    `is_right` in it tells whether no measurement had a fault, the warm-up included, and the ledger adds up.

    :raises StartError: if something does not start
    """
    began = time.monotonic()
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{name}-{tree.name}"  # noqa: DTZ005 - a file's name, local time
    profile = _profile(wanted, stamp)
    arguments = options.arguments(name, wanted)
    owners = SCENARIOS[name].owners(arguments)
    machine = processes.description()

    def prepare(system: System) -> None:
        businesses.prepare(system, owners)
        if wanted.filled:
            with system.database() as database:
                history.fill(database, wanted.filled)
                history.settle(database)

    changes = dict(change.partition("=")[::2] for change in wanted.env)
    with running_system(
        tree, changes, prepare, keep_logs=BENCH_DIR / f"{stamp}-log", with_statements=wanted.statements
    ) as system:
        bench = Bench(system, Journal(system.simulator_url), len(owners), profile)
        measured = _measured(bench, name, arguments, with_statements=wanted.statements)
        with system.database() as database:
            checked = bookkeeping.check(database)
        complaints = system.complaints()
    faults = _faults(bench)
    document = {
        "scenario": name,
        "tree": tree.name,
        "arguments": arguments,
        "filled": wanted.filled,
        "environment": changes,
        "machine": machine,
        **measured,
        "figures": figures.of(measured),
        "others_share": figures.others_share(measured),
        "ledger": checked,
        "lines_logged": complaints,
        "faults": faults,
        "is_right": bool(checked["is_right"]) and not faults,
    }
    _show(document)
    file = BENCH_DIR / f"{stamp}.json"
    file.write_text(report.as_json(document))
    say(f"kept in {file}" + (f", profile in {profile.file}" if profile else ""))
    say(f"took {time.monotonic() - began:.0f} s in all\n")
    return document


def _measured(bench: Bench, name: str, arguments: dict[str, Any], *, with_statements: bool) -> dict[str, Any]:
    bench.warm_up()
    if not with_statements:
        return SCENARIOS[name].run(bench, **arguments)
    with bench.system.database() as database:
        statements.begin(database)
        before = tables.read(database)
    measured = SCENARIOS[name].run(bench, **arguments)
    with bench.system.database() as database:
        measured["statements"] = [statements.totals(database), *statements.top(database)]
        measured["tables"] = tables.since(before, tables.read(database))
    say(statements.table(measured["statements"], bench.posted_since_warm_up))
    say(tables.table(measured["tables"], bench.posted_since_warm_up))
    return measured


def _faults(bench: Bench) -> dict[str, int]:
    """Add up the faults of all measurements."""
    total: dict[str, int] = {}
    for measured in bench.measured:
        for fault, count in report.faults(measured).items():
            total[fault] = total.get(fault, 0) + count
    return total


def _show(document: dict[str, Any]) -> None:
    say(report.ledger(document["ledger"]))
    say(report.row("logged", report.pairs(document["lines_logged"]) or "nothing"))
    if document["faults"]:
        say(report.row("FAULTS IN ALL", report.pairs(document["faults"])))


def _profile(wanted: argparse.Namespace, stamp: str) -> Profile | None:
    if wanted.profile is None:
        return None
    return Profile(
        wanted.profile,
        wanted.profile_format,
        BENCH_DIR / f"{stamp}-{wanted.profile}.{SUFFIXES[wanted.profile_format]}",
    )
