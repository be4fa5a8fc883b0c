"""`make psql`: the database of this checkout, whichever it is."""

import os
import sys
from typing import NoReturn

from psycopg.conninfo import make_conninfo

from config.embedded import external, paths, postgres
from config.embedded.choices import from_environment
from config.embedded.errors import StartError


def main(arguments: list[str]) -> NoReturn:
    """Become psql."""
    try:
        choices = from_environment()
        connection = external.connection(choices.database_url or paths.postgres_url(choices.data_dir))
        program = str(postgres.program("psql"))
    except StartError as error:
        sys.exit(str(error))
    # Not among the words: every user can read those in the list of processes.
    password = str(connection.pop("password") or "")
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    os.execve(program, [program, make_conninfo(**connection), *arguments], environment)  # noqa: S606 -- our own words
