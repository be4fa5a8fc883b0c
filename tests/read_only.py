"""A Postgres that refuses all writes, as a demoted primary or a standby does; it answers everything else."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from config.embedded.servers import TemporaryServers
from tests.rig import wait_until


@contextmanager
def read_only(servers: TemporaryServers) -> Iterator[None]:
    """Make the server read-only, for connections that are open as well."""
    _set(servers, "SET default_transaction_read_only = on", is_writable=False)
    try:
        yield
    finally:
        _set(servers, "RESET default_transaction_read_only", is_writable=True)


def _set(servers: TemporaryServers, change: str, *, is_writable: bool) -> None:
    url = servers.database_url.replace("postgres://", "postgresql://")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM {change}")
        connection.execute("SELECT pg_reload_conf()")
        state = ("off",) if is_writable else ("on",)
        wait_until(
            lambda: connection.execute("SHOW transaction_read_only").fetchone() == state,
            what=f"transaction_read_only is {state[0]}",
        )
