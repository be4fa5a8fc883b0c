"""Calling manage.py while starting."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from config.embedded import paths
from config.embedded.console import tail
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from config.embedded.stops import Stops


def run(name: str, *, logs: Path, environment: dict[str, str], stops: Stops) -> str:
    """
    Run `manage.py name`, and give what it wrote to stdout; the rest goes to a log of its name.

    :raises StartError: with the end of that log, if it fails
    """
    log = logs / f"{name}.log"
    with log.open("w") as errors, tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(  # noqa: S603 -- our own words
            bound_to_parent([sys.executable, "manage.py", name, "--no-color"]),
            cwd=paths.PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            while process.poll() is None:
                stops.wait(0.1)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        written = output.read()
    stops.check()
    if process.returncode != 0:
        raise StartError(f"`manage.py {name}` failed. The end of {log}:{tail(log)}")
    return written


def seed(*, logs: Path, environment: dict[str, str], stops: Stops) -> dict[str, Any]:
    """
    Make the demo account once, and give its keys.

    :raises StartError: if it cannot be made
    """
    written = run("seed_demo", logs=logs, environment=environment, stops=stops).strip().splitlines()
    try:
        return cast("dict[str, Any]", json.loads(written[-1]))
    except (IndexError, ValueError):
        raise StartError(f"`manage.py seed_demo` printed no JSON: see {logs / 'seed_demo.log'}.") from None
