"""The process manager: supervisord's configuration, its start, and orders to it."""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from supervisor.xmlrpc import SupervisorTransport

from config.embedded import paths
from config.embedded.errors import StartError
from config.embedded.privileges import bound_to_parent
from config.embedded.programs import Program

_RPC = "supervisor.rpcinterface:make_main_rpcinterface"
_PRIORITIES = {"stores": 10, "vendors": 20, "app": 30}
_START_SECONDS = 10
_NO_WAIT = False
_LONGEST_STOP_SECONDS = 90


@dataclass(frozen=True)
class State:
    """What the process manager knows about one program."""

    name: str
    group: str
    state: str
    pid: int


class Supervisor:
    """A supervisord in a session of its own, so that Ctrl-C reaches us alone, and bound to our life."""

    def __init__(
        self, data_dir: Path, programs: list[Program], environment: dict[str, str], lock: TextIO
    ) -> None:
        self.groups = {program.group for program in programs}
        self._socket = paths.control_socket(data_dir)
        configuration = data_dir / "run" / "supervisord.conf"
        configuration.write_text(_configuration(data_dir, programs))
        for program in programs:
            _script(data_dir, program).write_text(_script_text(program))
        command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(configuration)]
        # It keeps the lock: a checkout whose launcher was killed is not free before the last program stopped.
        self._process = subprocess.Popen(  # noqa: S603 -- our own words
            bound_to_parent(command),
            cwd=data_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        self._wait_until_it_listens()

    def start(self, group: str) -> None:
        """Start the programs of a group, without waiting for them."""
        self._order("startProcessGroup", group, _NO_WAIT)

    def states(self) -> list[State]:
        """
        Ask for the state of every program.

        :raises StartError: if the process manager itself is gone
        """
        processes = cast("list[dict[str, Any]]", self._order("getAllProcessInfo"))
        return [State(each["name"], each["group"], each["statename"], each["pid"]) for each in processes]

    def begin_stop(self, group: str) -> None:
        """Ask the programs of a group to stop, without waiting for them."""
        self._order("stopProcessGroup", group, _NO_WAIT)

    def kill(self, group: str) -> None:
        """Kill the programs of a group."""
        self._order("signalProcessGroup", group, "KILL")

    def shut_down(self) -> None:
        """Stop whatever still runs, the stores last, and the process manager itself."""
        self._process.terminate()
        try:
            self._process.wait(timeout=_LONGEST_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Every program is bound to its life and gets the signal to stop.
            self._process.kill()
            self._process.wait()

    def _order(self, method: str, *arguments: str | bool) -> object:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
            try:
                return getattr(server.supervisor, method)(*arguments)
            except (OSError, xmlrpc.client.Error) as error:
                message = f"The process manager does not answer ({error}): see .data/log/supervisord.log."
                raise StartError(message) from None

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(StartError):
                self._order("getState")
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                message = "The process manager did not start: see .data/log/supervisord.log."
                raise StartError(message)
            time.sleep(0.05)


def lock(data_dir: Path) -> TextIO:
    """
    Take this data folder for one start.

    :raises StartError: if another one has it
    """
    file = (data_dir / "run" / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StartError("`make run` is already running in this checkout, or still stopping.") from None
    return file


def kill_left_over(pid: int) -> None:
    """Kill the rest of a dead program's process group, which its manager does not know."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _configuration(data_dir: Path, programs: list[Program]) -> str:
    groups = {program.group for program in programs}
    sections = [
        _section(
            "unix_http_server", file=os.path.relpath(paths.control_socket(data_dir), data_dir), chmod="0700"
        ),
        _section(
            "supervisord",
            nodaemon="true",
            silent="true",
            logfile="log/supervisord.log",
            logfile_maxbytes="10MB",
            logfile_backups=2,
            pidfile="run/supervisord.pid",
            minfds=256,
            **({"user": "root"} if os.getuid() == 0 else {}),
        ),
        _section("rpcinterface:supervisor", **{"supervisor.rpcinterface_factory": _RPC}),
        *(_program_section(program) for program in programs),
        *(_group_section(group, programs) for group in sorted(groups)),
    ]
    return "\n".join(sections)


def _program_section(program: Program) -> str:
    return _section(
        f"program:{program.name}",
        command=f"sh run/{program.name}.sh",
        autostart="false",
        autorestart="true",
        # One that ends sooner did not start: it is tried again a few times, more slowly, and then given up.
        startsecs=1 if program.group == "stores" else 5,
        startretries=8 if program.group == "stores" else 4,
        stopsignal=program.stop_signal,
        stopwaitsecs=program.stop_seconds,
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile=f"log/{program.name}.log",
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups=2,
    )


def _group_section(group: str, programs: list[Program]) -> str:
    members = ",".join(program.name for program in programs if program.group == group)
    return _section(f"group:{group}", programs=members, priority=_PRIORITIES[group])


def _section(title: str, **options: object) -> str:
    return "\n".join([f"[{title}]", *(f"{name} = {value}" for name, value in options.items()), ""])


def _script(data_dir: Path, program: Program) -> Path:
    return data_dir / "run" / f"{program.name}.sh"


def _script_text(program: Program) -> str:
    # A script each, and relative paths: supervisord's configuration cannot quote a folder's odd name.
    return f"cd {shlex.quote(str(paths.PROJECT))} && exec {shlex.join(program.command)}\n"
