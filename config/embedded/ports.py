"""Finding a taken port before anything starts, in words that say what to change."""

import errno
import os
import socket

from config.embedded.errors import StartError

_HOSTS = {"API_PORT": "API_HOST", "WEBHOOK_PORT": "WEBHOOK_HOST", "LIVE_PORT": "LIVE_HOST"}


def require_free(ports: dict[str, int]) -> None:
    """
    Check that every port can be listened on.

    :raises StartError: naming the variable to change
    """
    taken: dict[int, str] = {}
    for name, port in ports.items():
        if port in taken:
            raise StartError(f"{taken[port]} and {name} are both {port}: give them different ports.")
        taken[port] = name
        _require_free(name, os.environ.get(_HOSTS.get(name, "")) or "127.0.0.1", port)


def _require_free(name: str, host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = "is taken by another program"
            else:
                reason = f"cannot be used ({os.strerror(error.errno or 0)})"
            message = (
                f"Port {port} {reason}: free it, or choose another, e.g. `{name}={port + 1000} make run`."
            )
            raise StartError(message) from None
