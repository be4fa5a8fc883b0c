"""Whether the process answers, and whether work can be taken in."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from config import health
from config.lib import heartbeat
from config.models import Heartbeat

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
    """Everything is well."""
    now = timezone.now()
    for role in ("worker", "sweeper"):
        Heartbeat.objects.create(instance=f"{role}:1", role=role, beat_at=now)


class TestLive:
    def test_touches_nothing(self, client, settings):
        # Without a database fixture any query would fail here.
        answer = client.get("/health/live")

        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": settings.APP_VERSION})


class TestReady:
    def test_is_ok_when_all_is_well(self, client, beating):
        answer = client.get("/health/ready")

        parts = dict.fromkeys(["postgres", "migrations", "redis", "worker", "sweeper"], "ok")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": parts})

    @pytest.mark.parametrize("role", ["worker", "sweeper"])
    @pytest.mark.parametrize("how", ["silent", "never there"])
    def test_is_degraded_without_a_worker_or_a_sweeper(self, client, beating, role, how):
        beats = Heartbeat.objects.filter(role=role)
        if how == "silent":
            beats.update(beat_at=timezone.now() - heartbeat.STALE_AFTER - timedelta(seconds=1))
        else:
            beats.delete()

        answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert [name for name, part in answer.json()["parts"].items() if part == "away"] == [role]

    def test_is_degraded_without_redis(self, client, servers, beating):
        servers.valkey.kill()
        try:
            answer = client.get("/health/ready")
        finally:
            servers.valkey.start()

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["parts"]["redis"] == "away"

    def test_is_unavailable_while_migrations_are_missing(self, client, beating, monkeypatch):
        monkeypatch.setattr(health, "_migrated", set())
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


class TestHeartbeat:
    def test_is_one_row_a_process(self, db):
        heartbeat.beat("worker")
        heartbeat.beat("worker")

        assert Heartbeat.objects.get().instance == heartbeat.instance()
        assert heartbeat.alive("worker")
        assert not heartbeat.alive("sweeper")

    def test_of_the_dead_is_forgotten_after_a_day(self, db):
        now = timezone.now()
        for hours in (1, 23, 25):
            Heartbeat.objects.create(instance=f"{hours}", role="worker", beat_at=now - timedelta(hours=hours))

        heartbeat.forget_the_dead()

        assert set(Heartbeat.objects.values_list("instance", flat=True)) == {"1", "23"}
