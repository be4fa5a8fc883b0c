"""`python -m simulator` serves on ``SIMULATOR_HOST`` (127.0.0.1) and ``SIMULATOR_PORT`` (9090)."""

import os

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server


def serve() -> None:
    """Serve until told to stop."""
    Server(
        "simulator.asgi:application",
        address=os.environ.get("SIMULATOR_HOST") or "127.0.0.1",
        port=int(os.environ.get("SIMULATOR_PORT") or 9090),
        interface=Interfaces.ASGI,
        workers=1,  # What it remembers is in one process's memory.
        backlog=4096,
        backpressure=4096,
        websockets=False,
        log_level=LogLevels.warning,
        workers_kill_timeout=3,  # Calls that hang on purpose must not hold up a stop.
    ).serve()


if __name__ == "__main__":
    serve()
