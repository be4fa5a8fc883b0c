"""Closing a client's connection without an answer, which ASGI has no word for."""

import asyncio
import os
import socket
import stat

from simulator.exchange import Receive, Scope


def close(scope: Scope) -> bool:
    """
    Close the client's connection under the server's feet, and tell whether it was found.

    The server keeps its sockets to itself, so the one with the client's address is looked up among this
    process's files and shut down; the server then sees a client that went away.
    """
    client = tuple(str(part) for part in scope["client"])
    return any(_shut_down(int(name), client) for name in os.listdir("/dev/fd"))  # noqa: PTH208 - names, not paths


async def hang(receive: Receive, seconds: float) -> None:
    """Wait for so long, or until the client gives up."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


def _shut_down(descriptor: int, client: tuple[str, ...]) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        with socket.socket(fileno=os.dup(descriptor)) as candidate:
            peer = candidate.getpeername()
            if not isinstance(peer, tuple) or (str(peer[0]), str(peer[1])) != client:
                return False
            candidate.shutdown(socket.SHUT_RDWR)
            return True
    except OSError:
        return False
