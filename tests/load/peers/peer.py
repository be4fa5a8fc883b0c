"""A service that does the job of ours in another way, as the benchmark starts it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from config.embedded import programs
from tests.load import plan
from tests.load.peers import venv

WORKER_CONCURRENCY = 200
_CREDITS = 1_000_000
_INSTRUCTIONS = "You answer the customers of a bakery. Be kind and brief, and never invent prices. " * 5
_INSERT_BUSINESS_SQL = """
    INSERT INTO businesses (phone_number_id, access_token, instructions, credits) VALUES (%s, %s, %s, %s)
"""
# The statuses of a reply follow within a second of it.
_LEFT_SQL = """
    SELECT count(*) AS n FROM messages WHERE sent_at IS NULL OR sent_at > now() - interval '1.5 seconds'
"""


@dataclass(frozen=True)
class Peer:
    """One of the services in `services/`: `name` is the end of its Procfile's name."""

    name: str
    binaries: Path
    schema_command: list[str] = field(default_factory=list)
    root: Path = venv.SERVICES
    left_sql: str = _LEFT_SQL
    last_rows_sql: str = "SELECT now() AS started_at"
    workers_sql: str = "SELECT count(*) AS n FROM workers"

    def commands(self) -> dict[str, list[str]]:
        """Return the processes of its Procfile by name, with two workers."""
        return {each.name: each.command for each in programs.app(self.root / f"Procfile.{self.name}")}

    def set_up_commands(self) -> list[list[str]]:
        """Return the command that creates the tables of its queue, if these are in Postgres."""
        return [self.schema_command] if self.schema_command else []

    def roles(self) -> list[str]:
        """Return none: it has no health report."""
        return []

    def prepare(self, database: psycopg.Connection[Any], numbers: int) -> None:
        """Create its tables, and insert a business for each number."""
        database.execute((self.root / "schema.sql").read_bytes())
        with database.cursor() as cursor:
            cursor.executemany(
                _INSERT_BUSINESS_SQL,
                [
                    (plan.number(place).phone_number_id, "EAAbenchtoken", _INSTRUCTIONS, _CREDITS)
                    for place in range(numbers)
                ],
            )


def all_of_them() -> list[Peer]:
    """
    Return the services, ready to be started.

    :raises StartError: if their libraries cannot be installed
    """
    binaries = venv.binaries()
    schema = [
        *(str(binaries / "python"), "-m", "procrastinate", "--app", "procrastinate_service.queue"),
        *("schema", "--apply"),
    ]
    return [Peer("procrastinate", binaries, schema), Peer("celery", binaries)]


def variables(recovery_seconds: float) -> dict[str, str]:
    """Return the environment of a service of which a dead worker's work is retried after so many seconds."""
    return {
        "WORKER_CONCURRENCY": str(WORKER_CONCURRENCY),
        "RECOVERY_SECONDS": f"{recovery_seconds:g}",
        # What the same is called in ours.
        "TURN_LEASE": str(round(recovery_seconds * 1000)),
    }
