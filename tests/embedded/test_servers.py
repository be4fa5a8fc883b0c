"""The embedded servers, for real."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import redis

from config.embedded import paths, postgres
from config.embedded.servers import postgres_server, temporary_servers, valkey_server
from tests.rig import PATIENCE

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with temporary_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
def data_dir(tmp_path):
    paths.make_folders(tmp_path)
    return tmp_path


def execute(data_dir: Path, statement: str) -> object:
    with psycopg.connect(paths.postgres_url(data_dir), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall()[0][0] if cursor.description else None


class TestTemporaryServers:
    def test_take_connections(self, servers):
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)

        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.ping()

    def test_open_no_port(self, servers):
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)

        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.config_get("port") == {"port": "0"}

    def test_sort_by_code_point_and_know_every_letter(self, servers):
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT lower('ÄÖÅ'), 'Z' < 'a'").fetchone() == ("äöå", True)

    def test_come_back_after_kill_9(self, servers):
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (value int)")

        servers.postgres.kill()
        servers.postgres.start()

        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    def test_come_back_although_a_session_of_the_killed_server_ends_late(self, servers):
        with psycopg.connect(servers.database_url) as connection:
            session = connection.info.backend_pid
            os.kill(session, signal.SIGSTOP)
            servers.postgres.kill()
            threading.Timer(1, os.kill, (session, signal.SIGCONT)).start()

            servers.postgres.start()

            assert not is_alive(session)
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_leave_nothing_when_the_tests_fail(self, tmp_path):
        pids = []

        def fail():
            with temporary_servers(tmp_path / "data") as running:
                pids.extend([running.postgres.pid, running.valkey.pid])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()

        assert not (tmp_path / "data").exists()
        assert not any(is_alive(pid) for pid in pids)

    def test_end_with_a_killed_test_run(self, tmp_path):
        program = (
            "import pathlib, sys, time\n"
            "from config.embedded.servers import temporary_servers\n"
            "with temporary_servers(pathlib.Path(sys.argv[1])) as running:\n"
            "    print(running.postgres.pid, running.valkey.pid, flush=True)\n"
            "    time.sleep(60)\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path / "data")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=paths.PROJECT) as killed:
            assert killed.stdout
            pids = [int(pid) for pid in killed.stdout.readline().split()]
            killed.kill()

        assert pids
        assert eventually(lambda: not any(is_alive(pid) for pid in pids))


class TestDurableServers:
    def test_keep_their_data_over_a_restart(self, data_dir):
        database, queue = postgres_server(data_dir, durable=True), valkey_server(data_dir, durable=True)
        database.start()
        queue.start()
        postgres.create_database(data_dir)
        execute(data_dir, "CREATE TABLE kept AS SELECT 42 AS value")
        with redis.Redis.from_url(paths.valkey_url(data_dir)) as client:
            client.rpush("queue", "ring")

        for server in (database, queue):
            server.stop()
            server.start()

        try:
            assert execute(data_dir, "SELECT value FROM kept") == 42
            with redis.Redis.from_url(paths.valkey_url(data_dir)) as client:
                assert client.lrange("queue", 0, -1) == [b"ring"]
        finally:
            database.stop()
            queue.stop()

    def test_start_over_the_pid_file_of_another_program(self, data_dir):
        database = postgres_server(data_dir, durable=True)
        database.start()
        database.kill()
        # The number of a process that lives, is ours, and is no Postgres.
        pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

        database.start()

        assert postgres.is_ready(data_dir)
        database.stop()

    def test_stop_a_stray_server_on_the_same_files(self, data_dir):
        stray, database = postgres_server(data_dir, durable=False), postgres_server(data_dir, durable=False)
        stray.start()
        pid = stray.pid

        database.start()

        stray.stop()
        assert not is_alive(pid)
        assert postgres.is_ready(data_dir)
        database.stop()

    def test_lose_no_database_to_an_unfinished_start(self, data_dir):
        (data_dir / "postgres" / "unfinished").mkdir(parents=True)
        (data_dir / "postgres" / "unfinished" / "PG_VERSION").write_text("18\n")

        postgres.prepare(data_dir, durable=False)

        assert (data_dir / "postgres" / "data" / "global").is_dir()
        assert not (data_dir / "postgres" / "unfinished").exists()

    def test_keep_values_out_of_their_log(self, data_dir):
        database = postgres_server(data_dir, durable=False)
        database.start()
        postgres.create_database(data_dir)

        with pytest.raises(psycopg.Error):
            execute(data_dir, "SELECT '+15550001111'::int")
        execute(data_dir, "CREATE TABLE numbers (number text UNIQUE)")
        with pytest.raises(psycopg.Error):
            execute(data_dir, "INSERT INTO numbers VALUES ('+15550002222'), ('+15550002222')")

        database.stop()
        assert "+15550002222" not in database.log.read_text()


class TestPlaces:
    def test_run_from_a_deep_checkout(self, tmp_path):
        deep = tmp_path / ("d" * 60) / ("e" * 60)
        deep.mkdir(parents=True)

        with temporary_servers(deep) as running:
            assert "/tmp/embedded-" in running.redis_url
            assert postgres.is_ready(deep)

        assert not paths.socket_folder(deep, "valkey").parent.exists()

    def test_run_from_a_folder_with_an_odd_name(self, tmp_path):
        odd = tmp_path / 'My "first" 100%, project; #1'

        with temporary_servers(odd) as running, redis.Redis.from_url(running.redis_url) as client:
            assert client.ping()
            assert postgres.is_ready(odd)

    def test_change_no_permission_of_the_folders_above(self, tmp_path):
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        above = [closed, *closed.parents]
        before = [(path.stat().st_mode, path.stat().st_uid) for path in above]

        with temporary_servers(closed / "project") as running:
            uid = Path(f"/proc/{running.postgres.pid}").stat().st_uid
            during = [(path.stat().st_mode, path.stat().st_uid) for path in above]

        assert during == before
        assert uid != 0


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}


def eventually(is_so, seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
