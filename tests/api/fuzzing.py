"""
Has Schemathesis try out the served API, with ids that exist: `python -m tests.api.fuzzing --examples 200`.

Every operation with what fits and with what does not, and in sequences along the document's links, with every
check.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

# Speaks before Django reads its settings.
from tests import environment

# isort: split
from config.embedded.servers import temporary_servers
from tests.rig import BIN, PROJECT, Rig

# High enough never to be reached: here the rate limits are in the way.
NO_LIMITS = {
    "API_RATE_LIMIT": "1000000",
    "API_BUSINESS_RATE_LIMIT": "1000000",
    "API_FAILURE_LIMIT": "1000000",
}
# How often an id is one that exists.
_KNOWN = 0.8


@contextmanager
def serving(rig: Rig) -> Iterator[None]:
    """Serve the API without limits."""
    rig.migrate()
    rig.start("simulator")
    rig.have("web", "webhook", **NO_LIMITS)
    try:
        yield
    finally:
        rig.settle()


def seed() -> dict:
    """Fill the served database; give an operator's key, the ids, and a visitor of a web chat."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.api.seeding"], cwd=PROJECT, check=True, stdout=subprocess.PIPE
    )
    return json.loads(made.stdout)


def configuration(ids: dict[str, list[str]]) -> str:
    """Write down for Schemathesis which ids exist."""
    lines = [(PROJECT / "tests/api/schemathesis.toml").read_text(), "[parameters]"]
    for name in ids:
        lines += [
            f'"{place}.{name}" = {{ dictionary = "{name}", probability = {_KNOWN} }}'
            for place in ("path", "body", "query")
        ]
    for name, known in ids.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(known)}"]
    return "\n".join(lines) + "\n"


def run(*options: str, folder: Path = environment.DATA_DIR) -> int:
    """Run Schemathesis on each process for the paths it serves; return the first exit code that is not 0."""
    seeded = seed()
    file = folder / "schemathesis.toml"
    file.write_text(configuration(seeded["ids"]))
    known = {**os.environ, "API_KEY": seeded["key"], "VISITOR": json.dumps(seeded["visitor"])}
    webhook = urlsplit(environment.WEBHOOK_URL)
    codes = [
        _run_on(file, known, environment.API_URL, "--exclude-path", webhook.path, *options),
        # No links lead to the webhook's operations, so there are no sequences of them to try.
        _run_on(
            *(file, known, f"http://{webhook.netloc}", "--include-path", webhook.path),
            *("--phases", "examples,coverage,fuzzing", *options),
        ),
    ]
    return next((code for code in codes if code), 0)


def _run_on(file: Path, known: dict[str, str], url: str, *options: str) -> int:
    command = [
        *(str(BIN / "schemathesis"), "--config-file", str(file), "run"),
        *(f"{environment.API_URL}/schema/openapi.json", "--url", url, "--checks", "all", *options),
    ]
    return subprocess.run(command, cwd=PROJECT, env=known, check=False).returncode


def _show_faults(log: Path) -> None:
    """Print what the served API said of faults of its own."""
    for line in log.read_text(errors="replace").splitlines():
        if '"level": "error"' in line or line.startswith("Traceback"):
            sys.stderr.write(f"{line}\n")


def main() -> None:
    """Run it alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=150, help="cases for each operation and phase")
    parser.add_argument("--seed", default="")
    parser.add_argument("more", nargs="*", help="handed on to schemathesis")
    given = parser.parse_args()
    options = ["--max-examples", str(given.examples), *given.more]
    if given.seed:
        options += ["--seed", given.seed]
    with temporary_servers(environment.DATA_DIR) as servers:
        rig = Rig(servers)
        try:
            with serving(rig):
                code = run(*options)
            if code:
                _show_faults(environment.DATA_DIR / "log" / "web.log")
        finally:
            rig.stop_all()
    sys.exit(code)


if __name__ == "__main__":
    main()
