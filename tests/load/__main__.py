"""`make bench`: measures the system as deployed, on this machine; `ARGS=--help` lists the options."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from types import FrameType
from typing import Any

from config.embedded.console import say
from config.embedded.errors import StartError
from tests.load import comparison, markdown, options, processes, report, run, scale
from tests.load.peers import command
from tests.load.revisions import checked_out
from tests.load.scenarios import SCENARIOS
from tests.load.system import STOP_SIGNALS
from tests.load.tree import PRESENT, Tree

_INTERRUPTED = 130


def main(words: Sequence[str]) -> int:
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)
    try:
        commands = {"peers": command.main, "scale": scale.main}
        return commands[words[0]](words[1:]) if words and words[0] in commands else _bench(words)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _bench(words: Sequence[str]) -> int:
    """Run what the command line asks for; return 1 if a run was wrong, else 0."""
    wanted = options.parse(words)
    say("Machine: " + report.pairs(processes.description()))
    document = _compare(wanted) if wanted.against else _measure(wanted)
    if wanted.json:
        wanted.json.write_text(report.as_json(document))
    return 0 if all(each["is_right"] for each in document["runs"]) else 1


def _measure(wanted: argparse.Namespace) -> dict[str, Any]:
    """Run one scenario, or all of them."""
    names = [wanted.scenario] if wanted.scenario else list(SCENARIOS)
    runs = [run.run(name, wanted, PRESENT) for name in names]
    if wanted.markdown:
        for each in runs:
            say(markdown.of_runs({each["scenario"]: each["figures"]}) + "\n")
    return {"runs": runs}


def _compare(wanted: argparse.Namespace) -> dict[str, Any]:
    """Run a scenario on another revision and on the present tree, in turn, and print the ratios."""
    with checked_out(wanted.against) as base:
        rounds = [
            (_in_round(place, wanted, base), _in_round(place, wanted, PRESENT))
            for place in range(1, wanted.rounds + 1)
        ]
    ratios = comparison.compare([(first["figures"], second["figures"]) for first, second in rounds])
    say(comparison.table(ratios, base.name))
    say(comparison.conditions(rounds))
    if wanted.markdown:
        say("\n" + comparison.as_markdown(ratios, base.name))
    return {
        "against": base.name,
        "ratios": [asdict(each) for each in ratios],
        "runs": [each for pair in rounds for each in pair],
    }


def _in_round(place: int, wanted: argparse.Namespace, tree: Tree) -> dict[str, Any]:
    say(f"Round {place} of {wanted.rounds}: {tree.name}")
    return run.run(wanted.scenario, wanted, tree)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
