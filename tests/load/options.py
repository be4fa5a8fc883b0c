"""The command line of `make bench`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.load.recording import SUFFIXES
from tests.load.scenarios import SCENARIOS


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exit with a message if it makes no sense."""
    parser = _parser()
    options = parser.parse_args(words)
    if options.against and not options.scenario:
        parser.error("--against needs a scenario")
    if options.against and options.scenario == "overload" and not options.rate:
        parser.error("overload --against needs --rate, so that both revisions get the same load")
    if options.rounds < 1 or options.filled < 0:
        parser.error("--rounds must be above 0, and --filled not below it")
    return options


def arguments(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return a scenario's arguments: its defaults, and the command line's where there are any."""
    defaults = SCENARIOS[name].defaults
    given = {key: getattr(options, key) for key in defaults if getattr(options, key) is not None}
    return defaults | given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure the system as deployed, on this machine.",
        epilog="`peers` compares it with two other services, and `scale` measures one worker, two and three, "
        "each on a core of its own; `peers --help` and `scale --help` list their options.",
    )
    parser.add_argument(
        "scenario", nargs="?", choices=SCENARIOS, help="without one: all, one after the other"
    )
    _add_load(parser)
    _add_system(parser)
    _add_output(parser)
    return parser


def _add_load(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("load (defaults: tests/load/README.md)")
    load.add_argument(
        "--rate", type=float, help="messages a second; of overload half of them, of fair the trickle's"
    )
    load.add_argument("--seconds", type=float, help="how long, of capacity each step")
    load.add_argument("--count", type=int, help="messages of burst, and of the flood of fair")
    load.add_argument("--rates", type=float, nargs="+", help="steps of capacity and of overload's search")
    load.add_argument("--flood-numbers", type=int, help="numbers of the business that floods (fair)")


def _add_system(parser: argparse.ArgumentParser) -> None:
    system = parser.add_argument_group("system")
    system.add_argument(
        "--against", metavar="REVISION", help="measure this git revision, too, in turn, and print the ratios"
    )
    system.add_argument("--rounds", type=int, default=2, help="of --against: how often each is run (2)")
    system.add_argument(
        "--filled",
        type=int,
        default=0,
        metavar="MESSAGES",
        help="have so many messages in the tables already",
    )
    system.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for all processes")


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    output.add_argument("--markdown", action="store_true", help="print a table for the documentation, too")
    output.add_argument("--statements", action="store_true", help="show what Postgres did, by statement")
    output.add_argument(
        "--profile", metavar="PROCESS", help="py-spy: worker-1, webhook, simulator, sweeper …"
    )
    output.add_argument("--profile-format", choices=SUFFIXES, default="raw")
