"""The service whose processes are measured: this checkout, or that of another revision."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config.embedded import paths, programs

# Processes that neither take in nor answer messages.
NOT_STARTED = {"web", "live"}
# Rows that were filled in are done, and too many to count twice a second.
LEFT_SQL = """
    SELECT (SELECT count(*) FROM inbound_messages
             WHERE status IN ('pending', 'processing') AND id > %(inbound)s)
         + (SELECT count(*) FROM turns WHERE state IN ('claimed', 'answered'))
         + (SELECT count(*) FROM deliveries
             WHERE state IN ('pending', 'sending', 'sent', 'delivered') AND delivery_id > %(delivery)s)
         + (SELECT count(*) FROM channel_events WHERE applied_at IS NULL) AS n
"""
_LAST_ROWS_SQL = """
    SELECT (SELECT coalesce(max(id), 0) FROM inbound_messages) AS inbound,
           (SELECT coalesce(max(delivery_id), '') FROM deliveries) AS delivery
"""


class Service(Protocol):
    """A service that can be started and measured: its processes, and the statements that show its state."""

    @property
    def name(self) -> str:
        """Return the name that reports give it."""

    @property
    def root(self) -> Path:
        """Return the folder in which its processes run."""

    @property
    def binaries(self) -> Path:
        """Return the folder of its programs."""

    @property
    def left_sql(self) -> str:
        """Return the statement that counts unfinished work as `n`, with `last_rows_sql`'s row."""

    @property
    def last_rows_sql(self) -> str:
        """Return the statement that notes the last rows before the processes start."""

    @property
    def workers_sql(self) -> str:
        """Return the statement that counts the started workers as `n`."""

    def commands(self) -> dict[str, list[str]]:
        """Return its processes by name: `webhook`, `worker-1`, `worker-2` and what else there is."""

    def set_up_commands(self) -> list[list[str]]:
        """Return the commands that create its tables, one after the other."""

    def roles(self) -> list[str]:
        """Return the roles that its health report has to expect."""


@dataclass(frozen=True)
class Tree:
    """A checkout and the virtual environment that its processes run in."""

    name: str
    root: Path
    binaries: Path
    left_sql: str = LEFT_SQL
    last_rows_sql: str = _LAST_ROWS_SQL
    workers_sql: str = "SELECT count(*) AS n FROM heartbeats WHERE role = 'worker'"

    @property
    def python(self) -> str:
        """Return the interpreter that has the checkout's locked libraries."""
        return str(self.binaries / "python")

    def commands(self) -> dict[str, list[str]]:
        """Return the processes of the checkout's Procfile by name, with two workers, without NOT_STARTED."""
        found = programs.app(self.root / "Procfile")
        return {each.name: each.command for each in found if each.name not in NOT_STARTED}

    def set_up_commands(self) -> list[list[str]]:
        """Return the command that migrates the database."""
        return [[self.python, "manage.py", "migrate", "-v0"]]

    def roles(self) -> list[str]:
        """Return the roles that the checkout's health report has to expect."""
        return [name for name in programs.read_procfile(self.root / "Procfile") if name not in NOT_STARTED]


PRESENT = Tree("present", paths.PROJECT, Path(sys.prefix) / "bin")
