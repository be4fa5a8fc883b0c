"""py-spy on one process while the load runs."""

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from tests.load.system import System

SUFFIXES = {"raw": "txt", "flamegraph": "svg", "speedscope": "json"}


@dataclass
class Profile:
    """What to watch, and the file to leave; its own cost comes on top of the measured system's."""

    process: str
    form: str
    file: Path
    recorder: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, system: System) -> None:
        """
        Begin to record.

        :raises StartError: if there is no process of that name
        """
        if self.process not in system.pids:
            raise StartError(f"There is no {self.process!r} to profile; there are {', '.join(system.pids)}.")
        command = [
            str(Path(sys.prefix) / "bin" / "py-spy"), "record", "--pid", str(system.pids[self.process]),
            "--subprocesses", "--rate", "100", "--nonblocking", "--gil", "--format", self.form,
            "--duration", "100000", "--output", str(self.file),
        ]  # fmt: skip
        self.recorder = subprocess.Popen(
            bound_to_parent(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def stop(self) -> None:
        """End the recording and write the file."""
        if self.recorder is not None:
            self.recorder.send_signal(signal.SIGINT)
            try:
                self.recorder.wait(60)
            except subprocess.TimeoutExpired:
                self.recorder.kill()
                self.recorder.wait()
            self.recorder = None
