"""The long middle and the end of `make run`."""

import time
from pathlib import Path
from typing import NoReturn

from config.embedded import supervise
from config.embedded.console import say, step
from config.embedded.errors import StartError
from config.embedded.readiness import raise_if_given_up
from config.embedded.stops import Stops
from config.embedded.supervise import Supervisor

_LOOK_EVERY_SECONDS = 1
_ENDED = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}


def watch(supervisor: Supervisor, logs: Path, stops: Stops) -> NoReturn:
    """
    Print when a program ended and was started again, for ever.

    :raises StartError: when a program does not stay up
    :raises StopRequestedError: as soon as a stop is asked for
    """
    running: dict[str, int] = {}
    while True:
        states = supervisor.states()
        for program in states:
            before = running.get(program.name, 0)
            if before and program.pid != before:
                # Its children would go on listening and working beside the new process.
                supervise.kill_left_over(before)
                say(f"{program.name} ended by itself and is started again: see {logs / program.name}.log")
            running[program.name] = program.pid
        raise_if_given_up(states, logs)
        stops.wait(_LOOK_EVERY_SECONDS)


def stop(supervisor: Supervisor, stops: Stops) -> None:
    """Stop the app first and the stores last; a second request to stop kills the app."""
    say("")
    with step("Stopping (up to half a minute; Ctrl-C again to hurry)"):
        try:
            _stop_app(supervisor, stops)
        except StartError as error:
            say(str(error))
        supervisor.shut_down()


def _stop_app(supervisor: Supervisor, stops: Stops) -> None:
    supervisor.begin_stop("app")
    while any(program.group == "app" and program.state not in _ENDED for program in supervisor.states()):
        if stops.are_urgent:
            supervisor.kill("app")
        time.sleep(0.1)
