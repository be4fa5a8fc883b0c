"""The process manager around stand-in programs, and the whole launcher around a stand-in project."""

import os
import shutil
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.embedded import paths, supervise
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from config.embedded.programs import Program
from config.embedded.stops import StopRequestedError, Stops
from config.embedded.supervise import Supervisor
from config.embedded.watch import stop, watch
from tests.embedded.test_servers import eventually, is_alive

pytestmark = pytest.mark.long

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"


class PretendedStops(Stops):
    """Stops as soon as `is_enough` is true."""

    def __init__(self, is_enough=lambda: True, *, are_urgent=False):
        super().__init__()
        self._is_enough = is_enough
        self._urgent = are_urgent

    def wait(self, seconds):
        if self._is_enough():
            raise StopRequestedError
        super().wait(min(seconds, 0.2))

    @property
    def are_urgent(self):
        return self._urgent


@contextmanager
def supervised(data_dir, *commands, stops=None):
    paths.make_folders(data_dir)
    programs = [
        Program(f"program-{n}", "app", bound_to_parent(command), stop_seconds=60)
        for n, command in enumerate(commands)
    ]
    with supervise.lock(data_dir) as lock:
        supervisor = Supervisor(data_dir, programs, dict(os.environ), lock)
        try:
            supervisor.start("app")
            yield supervisor
        finally:
            stop(supervisor, stops or PretendedStops())


def is_running(pid, name):
    return Path(f"/proc/{pid}/comm").read_text().strip() == name


def pids(supervisor):
    return [state.pid for state in supervisor.states() if state.pid]


class TestSupervisor:
    def test_starts_a_program_again_and_says_so(self, tmp_path, capsys):
        with supervised(tmp_path, ["sleep", "99"]) as supervisor:
            assert eventually(lambda: pids(supervisor))
            [before] = pids(supervisor)
            killed: list[int] = []

            def is_enough():
                if not killed:
                    os.kill(before, signal.SIGKILL)
                    killed.append(before)
                return before not in pids(supervisor) and bool(pids(supervisor))

            with pytest.raises(StopRequestedError):
                watch(supervisor, tmp_path / "log", PretendedStops(is_enough))

            [after] = pids(supervisor)
            assert after != before

        assert not is_alive(after)

    def test_gives_up_with_the_end_of_the_log(self, tmp_path):
        failing = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]

        with supervised(tmp_path, failing) as supervisor, pytest.raises(StartError, match="no such thing"):
            watch(supervisor, tmp_path / "log", PretendedStops(lambda: False))

    def test_kills_at_the_second_request(self, tmp_path):
        urgent = PretendedStops(are_urgent=True)

        with supervised(tmp_path, [sys.executable, "-c", STUBBORN], stops=urgent) as supervisor:
            log = tmp_path / "log" / "program-0.log"
            assert eventually(lambda: log.exists() and "up" in log.read_text())
            [stubborn] = pids(supervisor)

        assert not is_alive(stubborn)

    def test_takes_its_programs_along_when_killed(self, tmp_path):
        with supervised(tmp_path, ["sleep", "99"]) as supervisor:
            assert eventually(lambda: pids(supervisor))
            running = pids(supervisor)
            # Before that it is setpriv still, which may not have bound it to its parent yet.
            assert eventually(lambda: all(is_running(pid, "sleep") for pid in running))

            os.kill(int((tmp_path / "run" / "supervisord.pid").read_text()), signal.SIGKILL)

            assert eventually(lambda: not any(is_alive(pid) for pid in running))

    def test_holds_its_folder_alone(self, tmp_path):
        with supervised(tmp_path, ["sleep", "99"]), pytest.raises(StartError, match="already running"):
            supervise.lock(tmp_path)

    def test_runs_in_a_deep_folder_with_an_odd_name(self, tmp_path):
        odd = tmp_path / "100% odd; #1" / ("d" * 90)

        with supervised(odd, ["sleep", "99"]) as supervisor:
            assert eventually(lambda: pids(supervisor))

        shutil.rmtree(paths.control_socket(odd).parent.parent)
