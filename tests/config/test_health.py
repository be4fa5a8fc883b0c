"""Whether the process answers, and whether work can be taken in."""

import contextlib
import json
from datetime import datetime, timedelta

import psycopg
import pytest
import requests
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from config import live, readiness
from config.embedded import programs
from config.lib import heartbeat, ids
from config.lib.roles import ROLES, queues, reader_of
from config.live_process import Process
from config.models import Heartbeat
from tests import environment
from tests.config.gateway_calls import call
from tests.read_only import read_only
from tests.rig import PROJECT, wait_until

AWAY = """
import os
import django
django.setup()
from django.test import Client
answer = Client().get("/health/ready")
print(answer.status_code, answer.content.decode(), flush=True)
os._exit(0)
"""


@pytest.fixture
def beating(valkey, transactional_db) -> None:
    """A heartbeat of each role."""
    for role in ROLES:
        store_beat(role, queues=[queue for queue in queues() if reader_of(queue) == role])


def store_beat(role: str, *, queues: list[str] | None, age: timedelta = timedelta()) -> datetime:
    beat_at = timezone.now() - age
    Heartbeat.objects.create(instance=ids.new("p"), role=role, queues=queues, beat_at=beat_at)
    return beat_at


def names(answer, state: str) -> list[str]:
    return [name for name, part in answer.json()["parts"].items() if part == state]


@contextlib.contextmanager
def locked(table: str):
    """Lock a table, so that whoever reads it waits."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


class TestLive:
    def test_touches_nothing(self, client, settings):
        # Without a database fixture any query would fail here.
        answer = client.get("/health/live")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": settings.APP_VERSION})

    def test_counts_no_limit_and_needs_no_key(self, client, settings):
        settings.API_RATE_LIMIT = 1

        answers = [client.get("/health/live", headers={"x-api-key": "mcak_wrong"}) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert not any("RateLimit" in answer for answer in answers)


class TestLiveProcess:
    def test_is_degraded_without_redis_and_unavailable_while_it_stops(self, transactional_db, monkeypatch):
        # Not started, so it is not connected to Redis.
        process = Process()
        monkeypatch.setattr(live, "_process", process)

        degraded = call(live.application, "GET", "/health/ready")
        process.is_stopping = True
        stopping = call(live.application, "GET", "/health/ready")

        assert (degraded.status, degraded.json) == (
            200,
            {"status": "degraded", "parts": {"postgres": "ok", "redis": "away"}},
        )
        assert (stopping.status, stopping.json["status"]) == (503, "unavailable")


class TestReady:
    def test_is_ok_when_all_is_well(self, client, beating):
        answer = client.get("/health/ready")

        parts = dict.fromkeys(["postgres", "migrations", "redis", *ROLES], "ok")
        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "ok", "parts": parts, "since": {}, "unread_queues": []},
        )

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("how", ["silent", "never there"])
    def test_is_degraded_without_a_role_and_names_it(self, client, beating, role, how):
        Heartbeat.objects.filter(role=role).delete()
        age = heartbeat.STALE_AFTER + timedelta(seconds=1)
        since = store_beat(role, queues=None, age=age) if how == "silent" else None

        answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert names(answer, "away") == [role]
        assert {name: at and parse_datetime(at) for name, at in answer.json()["since"].items()} == {
            role: since
        }
        assert answer.json()["unread_queues"] == [queue for queue in queues() if reader_of(queue) == role]

    def test_names_queues_that_no_worker_reads(self, client, beating):
        Heartbeat.objects.filter(role="worker").update(queues=["messages.0", "messages.5"])

        answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert names(answer, "away") == []
        assert answer.json()["unread_queues"] == [f"messages.{n}" for n in (1, 2, 3, 4, 6, 7)]

    def test_is_ok_with_several_workers_that_read_all_queues_together(self, client, beating):
        Heartbeat.objects.filter(role="worker").update(queues=["messages.0"])
        store_beat("worker", queues=[f"messages.{n}" for n in range(1, 8)])

        assert client.get("/health/ready").json()["status"] == "ok"

    def test_worker_that_reads_the_queues_of_all_roles_has_them(self, client, beating):
        Heartbeat.objects.filter(role__in=["worker", "extractor", "notifier"]).delete()
        store_beat("extractor", queues=queues())

        assert client.get("/health/ready").json()["status"] == "ok"

    def test_names_no_queue_while_a_worker_of_an_earlier_version_runs(self, client, beating):
        Heartbeat.objects.filter(role="worker").update(queues=None)

        assert client.get("/health/ready").json()["unread_queues"] == []

    def test_expects_only_the_roles_that_the_deployment_runs(self, client, beating, settings):
        settings.HEALTH_ROLES = ["web", "webhook", "worker", "sweeper"]
        Heartbeat.objects.exclude(role__in=settings.HEALTH_ROLES).delete()

        answer = client.get("/health/ready")

        assert answer.json()["status"] == "ok"
        assert set(answer.json()["parts"]) == {"postgres", "migrations", "redis", *settings.HEALTH_ROLES}

    def test_roles_are_slow_while_heartbeats_cannot_be_read_in_time(self, client, beating):
        client.get("/health/ready")
        with locked("heartbeats"):
            answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert names(answer, "slow") == list(ROLES)
        assert set(answer.json()["since"]) == set(ROLES)

    @pytest.mark.parametrize("has_succeeded", [True, False])
    def test_check_that_takes_too_long_is_slow_only_if_it_succeeded_recently(
        self, client, beating, monkeypatch, has_succeeded
    ):
        client.get("/health/ready")
        monkeypatch.setattr(readiness, "_migrated", set())
        if not has_succeeded:
            monkeypatch.setattr(readiness._CHECKS["migrations"], "ok_at", None)
        with locked("django_migrations"):
            answer = client.get("/health/ready")

        found = (answer.status_code, answer.json()["parts"]["migrations"])
        assert found == ((200, "slow") if has_succeeded else (503, "away"))

    def test_is_degraded_without_redis(self, client, servers, beating):
        servers.valkey.kill()
        try:
            answer = client.get("/health/ready")
        finally:
            servers.valkey.start()

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["parts"]["redis"] == "away"

    def test_is_unavailable_while_migrations_are_missing(self, client, beating, monkeypatch):
        monkeypatch.setattr(readiness, "_migrated", set())
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("extraction", "0002_runs_and_leads")
        try:
            answer = client.get("/health/ready")
        finally:
            recorder.record_applied("extraction", "0002_runs_and_leads")

        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert answer.json()["parts"]["migrations"] == "away"

    def test_is_unavailable_without_postgres(self, run_python):
        ended = run_python(
            "-c", AWAY, APP_ENV="test", DJANGO_SETTINGS_MODULE="config.settings",
            DATABASE_URL="postgres://nobody@127.0.0.1:1/nowhere",
        )  # fmt: skip

        status, _, body = ended.stdout.partition(" ")
        assert status == "503", ended.stderr
        assert json.loads(body)["parts"]["postgres"] == "away"
        assert {json.loads(body)["parts"][role] for role in ROLES} == {"unknown"}

    def test_is_unavailable_while_postgres_takes_no_writes(self, client, servers, beating):
        with read_only(servers):
            answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert answer.json()["parts"]["postgres"] == "away"
        assert client.get("/health/ready").json()["status"] == "ok"


class TestHeartbeat:
    def test_is_one_row_a_process(self, db):
        heartbeat.beat("worker")
        heartbeat.beat("worker")

        assert Heartbeat.objects.get().instance == heartbeat.instance()
        assert [(beat.role, beat.is_fresh) for beat in heartbeat.read()] == [("worker", True)]

    def test_of_the_dead_is_forgotten_after_a_day(self, db):
        now = timezone.now()
        for hours in (1, 23, 25):
            Heartbeat.objects.create(instance=f"{hours}", role="worker", beat_at=now - timedelta(hours=hours))

        heartbeat.forget_the_dead()

        assert set(Heartbeat.objects.values_list("instance", flat=True)) == {"1", "23"}


class TestRoles:
    def test_are_those_of_the_procfile(self):
        assert set(ROLES) == set(programs.read_procfile(PROJECT / "Procfile"))


class TestHost:
    @pytest.mark.usefixtures("beating")
    @pytest.mark.parametrize("host", ["10.1.2.3", "10.1.2.3:8080", "[fd00::1]:8080", "not a host"])
    def test_of_a_health_check_may_be_any(self, client, settings, caplog, host):
        settings.ALLOWED_HOSTS = ["agents.example"]

        answers = [client.get(f"/health/{kind}", headers={"host": host}) for kind in ("live", "ready")]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert [record for record in caplog.records if record.levelname != "INFO"] == []

    @pytest.mark.parametrize(
        "address", ["/users", "/health/other", "/health/live/", "/health/live/../../users", "/docs/", "/"]
    )
    def test_is_checked_everywhere_else(self, client, db, settings, address):
        settings.ALLOWED_HOSTS = ["agents.example"]

        assert client.get(address, headers={"host": "10.1.2.3"}).status_code == 400

    def test_health_check_is_not_redirected_to_https(self, client, settings):
        settings.SECURE_SSL_REDIRECT = True

        assert client.get("/health/live", headers={"host": "10.1.2.3"}).status_code == 200


@pytest.mark.long
class TestProcesses:
    @pytest.fixture
    def every_role(self, rig):
        rig.start("web", "live", "notifier", "beat")
        return rig

    def ready(self) -> dict:
        return requests.get(f"{environment.API_URL}/health/ready", timeout=60).json()

    def test_of_every_role_are_known_and_missed_when_they_stop(self, every_role):
        wait_until(lambda: self.ready()["status"] == "ok", what="all roles ok")
        others = [role for role in ROLES if role != "web"]
        for role in others:
            every_role.stop(role)

        answer = wait_until(
            lambda: (found := self.ready())["parts"]["beat"] == "away" and found,
            what="the roles away",
        )
        wait_until(lambda: {self.ready()["parts"][role] for role in others} == {"away"})

        assert answer["parts"]["web"] == "ok"
        assert set(self.ready()["unread_queues"]) == set(queues())

    def test_answer_health_checks_by_address(self, every_role):
        ports = (environment.API_PORT, environment.WEBHOOK_PORT, environment.LIVE_PORT)
        addresses = [f"http://127.0.0.1:{port}/health/{kind}" for port in ports for kind in ("live", "ready")]

        found = [
            requests.get(address, headers={"Host": "10.1.2.3"}, timeout=60).status_code
            for address in addresses
        ]
        elsewhere = [
            requests.get(f"{environment.API_URL}/users", headers={"Host": "10.1.2.3"}, timeout=60),
            requests.post(environment.WEBHOOK_URL, headers={"Host": "10.1.2.3"}, timeout=60),
        ]

        assert found == [200] * 6
        assert [answer.status_code for answer in elsewhere] == [400, 400]
