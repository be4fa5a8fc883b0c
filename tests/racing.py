"""Several things at the same time, each in a thread with a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection


def at_once(*things: Callable[[], object]) -> list[str]:
    """Do all of them at the same time, and say how each ended: `done`, or the name of its error."""
    ready = Barrier(len(things))

    def do(thing: Callable[[], object]) -> str:
        ready.wait(60)
        try:
            thing()
        except Exception as refused:  # noqa: BLE001  (which one it was is for the test to say)
            return type(refused).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(things)) as pool:
        return list(pool.map(do, things))
