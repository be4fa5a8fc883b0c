"""
Runs the tests in two halves at once: `python -m tests.together`.

One half mostly waits for processes it has started, the other computes; both have servers of their own.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
# What starts the system as processes; the rest of the folders is the other half.
WAITING = ("chaos", "embedded", "journeys", "webchat")


def main() -> int:
    """Run both, show each one's output when it ends, and fail if one of them does."""
    folders = sorted(path.name for path in TESTS.iterdir() if any(path.glob("test_*.py")))
    halves = [
        [name for name in folders if name in WAITING],
        [name for name in folders if name not in WAITING],
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    running = [_start(names) for names in halves]
    try:
        return max(_ended(process, output) for process, output in running)
    finally:
        for process, _ in running:
            process.terminate()


def _start(names: list[str]) -> tuple["subprocess.Popen[bytes]", Path]:
    output = Path(tempfile.mkstemp(prefix="tests-")[1])
    command = [sys.executable, "-m", "pytest", *sys.argv[1:], *(str(TESTS / name) for name in names)]
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT), output


def _ended(process: "subprocess.Popen[bytes]", output: Path) -> int:
    status = process.wait()
    sys.stdout.write(output.read_text(errors="replace"))
    output.unlink()
    return status


if __name__ == "__main__":
    sys.exit(main())
