"""Waiting until something that was started answers."""

import http.client
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.embedded.console import step, tail
from config.embedded.errors import StartError
from config.embedded.stops import Stops
from config.embedded.supervise import State, Supervisor

_SECONDS = 120
_ANYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 -- compared with, not bound to


@dataclass(frozen=True)
class Waiting:
    """Waits for one thing while it watches that nothing else gives up."""

    supervisor: Supervisor
    logs: Path
    stops: Stops

    def until(self, is_ready: Callable[[], bool], name: str) -> None:
        """
        Print that `name` starts, and wait for it.

        :raises StartError: when a program gave up, or after two minutes
        :raises StopRequestedError: as soon as a stop is asked for
        """
        deadline = time.monotonic() + _SECONDS
        with step(f"Starting {name}"):
            while not is_ready():
                raise_if_given_up(self.supervisor.states(), self.logs)
                if time.monotonic() > deadline:
                    raise StartError(f"{name} did not get ready within {_SECONDS} s: see {self.logs}.")
                self.stops.wait(0.1)


def raise_if_given_up(states: list[State], logs: Path) -> None:
    """
    Do nothing while every program runs or is being restarted.

    :raises StartError: with the end of its log, if the process manager gave one up
    """
    for program in states:
        if program.state == "FATAL":
            log = logs / f"{program.name}.log"
            raise StartError(f"{program.name} does not stay up. The end of {log}:{tail(log)}")


def answers(port: int, path: str, *, host_variable: str = "") -> bool:
    """Return whether an address on this machine answers 200."""
    status, _ = _get(port, path, host_variable)
    return status == http.HTTPStatus.OK


def is_whole(port: int, path: str, *, host_variable: str = "") -> bool:
    """Return whether a health address reports every part ready, the workers among them."""
    status, body = _get(port, path, host_variable)
    return status == http.HTTPStatus.OK and b'"status":"ok"' in body.replace(b" ", b"")


def _get(port: int, path: str, host_variable: str) -> tuple[int, bytes]:
    host = os.environ.get(host_variable, "")
    connection = http.client.HTTPConnection("127.0.0.1" if host in _ANYWHERE else host, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
