"""Which errors mean that Postgres is away, overloaded or read-only, and what is done with the connection."""

import time

import psycopg
import pytest
from django.db import DatabaseError, Error, InterfaceError, OperationalError, connection, transaction
from psycopg_pool import PoolTimeout
from psycopg_pool.base import AttemptWithBackoff

from config.lib import sql
from config.models import LeaderLease
from tests.channels_app.poison import SQLSTATES

AWAY = {
    "a connection that fails": "08006",
    "a connection that a pooler refuses": "08P01",
    "read-only, as a standby or a demoted primary is": "25006",
    "idle_in_transaction_session_timeout": "25P03",
    "transaction_timeout": "25P04",
    "a password that is being changed": "28P01",
    "a serialization failure": "40001",
    "a COMMIT of unknown outcome": "40003",
    "a deadlock": "40P01",
    "no resources": "53000",
    "a full disk": "53100",
    "no memory": "53200",
    "no free connection": "53300",
    "lock_timeout": "55P03",
    "statement_timeout": "57014",
    "a shutdown": "57P01",
    "a crash": "57P02",
    "a start": "57P03",
    "a database that is dropped": "57P04",
    "idle_session_timeout": "57P05",
    "a disk that fails": "58030",
}


def raised(code: str) -> Exception:
    """Return the error that Django raises when Postgres answers with a SQLSTATE."""
    with pytest.raises(Error) as error, transaction.atomic():
        sql.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")
    assert sql.sqlstate(error.value) == code
    return error.value


class TestIsUnavailable:
    @pytest.mark.parametrize("code", AWAY.values(), ids=AWAY)
    def test_holds_when_a_later_attempt_may_pass(self, db, code):
        error = raised(code)

        assert sql.is_unavailable(error)
        assert sql.is_unavailable(error.__cause__)

    @pytest.mark.parametrize("code", SQLSTATES)
    def test_does_not_hold_when_the_statement_is_at_fault(self, db, code):
        error = raised(code)

        assert not sql.is_unavailable(error)
        assert not sql.is_unavailable(error.__cause__)

    @pytest.mark.parametrize(
        "error",
        [
            OperationalError("server closed the connection unexpectedly"),
            InterfaceError("connection already closed"),
            psycopg.OperationalError("connection failed"),
            psycopg.InterfaceError("the connection is closed"),
            PoolTimeout("couldn't get a connection after 2.00 sec"),
        ],
        ids=repr,
    )
    def test_holds_without_an_answer_of_the_server(self, error):
        assert sql.is_unavailable(error)

    @pytest.mark.parametrize(
        "error", [DatabaseError("did not affect any rows"), OSError(), TimeoutError(), ValueError()], ids=repr
    )
    def test_does_not_hold_for_errors_of_python_and_django(self, error):
        assert not sql.is_unavailable(error)


@pytest.fixture
def _read_only(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    yield
    # Given back to the pool as it is, it would be read-only for a later test.
    if connection.connection is not None:
        connection.connection.close()
    connection.close()


def backend() -> int:
    return connection.connection.info.backend_pid


def write() -> int:
    return sql.execute("INSERT INTO leader_leases (name, holder, expires_at) VALUES ('test', 'test', now())")


class TestReadOnlyServer:
    @pytest.mark.usefixtures("_read_only")
    def test_is_not_writable(self):
        assert not sql.is_writable()

    @pytest.mark.usefixtures("_read_only")
    def test_has_its_connection_replaced_once_it_was_found_out(self):
        before = backend()

        assert not sql.is_writable()
        connection.close()

        assert sql.is_writable()
        assert backend() != before

    @pytest.mark.usefixtures("_read_only")
    def test_has_its_connection_replaced_by_a_write_that_is_tried_again(self):
        assert sql.retry_until(write, until=time.monotonic() + 60) == 1
        assert LeaderLease.objects.get().holder == "test"

    @pytest.mark.usefixtures("_read_only")
    def test_ends_a_job_that_may_be_run_later(self, caplog):
        with sql.tolerating_outage("job"):
            write()

        assert "job.postgres_away" in caplog.text
        connection.close()
        assert write() == 1

    @pytest.mark.usefixtures("_read_only")
    def test_is_told_from_other_errors(self):
        for call in (lambda: sql.retry_until(lambda: 1 / 0, until=time.monotonic() + 60), self._job):
            with pytest.raises(ZeroDivisionError):
                call()

    def _job(self) -> None:
        with sql.tolerating_outage("job"):
            1 / 0  # noqa: B018


class TestPool:
    def test_tries_to_connect_once_a_second_however_long_postgres_is_away(self):
        """The longest pause is how long a process is without Postgres after an outage."""
        attempt = AttemptWithBackoff(timeout=connection.pool.reconnect_timeout)
        pauses = []
        for failed_at in range(int(connection.pool.reconnect_timeout)):
            attempt.update_delay(float(failed_at))
            pauses.append(attempt.delay)

        assert len(pauses) == 300
        assert max(pauses) < 1.5
