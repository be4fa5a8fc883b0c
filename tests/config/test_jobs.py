"""Doorbells."""

import json

import pytest
import structlog
from redis import Redis

from config.lib import jobs, redis
from config.lib.jobs import Job
from tests.rig import wait_until

NUMBER = "109876543210987"
SHARDS = "from config.lib import jobs; print([jobs.shard(str(n)) for n in range(50)])"


def rings(valkey, *numbers: str) -> int:
    jobs.flush()
    queues = {jobs.queue(Job.DRAIN, {"phone_number_id": number}) for number in numbers or [NUMBER]}
    return sum(valkey.llen(queue) for queue in queues)


class TestShard:
    def test_of_a_number_is_the_same_in_every_process(self, run_python):
        environment = {"APP_ENV": "test", "DJANGO_SETTINGS_MODULE": "config.settings"}

        told = [run_python("-c", SHARDS, **environment, PYTHONHASHSEED=seed) for seed in ("1", "2")]

        assert [json.loads(ended.stdout) for ended in told] == [[jobs.shard(str(n)) for n in range(50)]] * 2

    def test_spreads_numbers_over_all_queues(self, settings):
        used = {jobs.shard(f"10987654321{n:04}") for n in range(500)}

        assert used == set(range(settings.MESSAGE_QUEUE_SHARDS))


class TestQueue:
    def test_of_a_drain_is_its_numbers(self):
        assert jobs.queue(Job.DRAIN, {"phone_number_id": NUMBER}) == f"messages.{jobs.shard(NUMBER)}"

    @pytest.mark.parametrize("job", [Job.APPLY_EVENTS, Job.PURGE])
    def test_of_housekeeping_is_the_default(self, job):
        assert jobs.queue(job, {}) == "default"

    def test_is_declared_for_every_job(self, settings):
        from config.celery import app

        declared = set(app.amqp.queues)

        shards = {f"messages.{n}" for n in range(settings.MESSAGE_QUEUE_SHARDS)}
        assert declared == shards | {"extraction", "default", "quarantine", "notify"}

    @pytest.mark.parametrize(
        ("redis_url", "broker_url"),
        [
            ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
            ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
            ("rediss://redis.example:6380/4", "rediss://redis.example:6380/4"),
        ],
    )
    def test_is_read_from_the_database_that_it_is_written_to(self, run_python, redis_url, broker_url):
        code = "from config.settings import CELERY_BROKER_URL; print(CELERY_BROKER_URL)"

        told = run_python("-c", code, APP_ENV="test", REDIS_URL=redis_url)

        assert told.stdout == f"{broker_url}\n"


class TestRing:
    def test_is_published_on_commit(self, valkey, db, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.ring(Job.DRAIN, phone_number_id=NUMBER)
            before = rings(valkey)

        assert (before, rings(valkey)) == (0, 1)

    def test_carries_ids_and_the_correlation_id(self, valkey):
        with structlog.contextvars.bound_contextvars(correlation_id="trace-1"):
            jobs.ring_now(Job.DRAIN, phone_number_id=NUMBER)

        sent = json.loads(valkey.lpop(jobs.queue(Job.DRAIN, {"phone_number_id": NUMBER})))
        assert sent["headers"]["task"] == "conversations.drain"
        assert sent["headers"]["correlation_id"] == "trace-1"
        assert json.loads(sent["body"])[1] == {"phone_number_id": NUMBER}

    @pytest.mark.parametrize("job", Job)
    def test_of_every_job_waits_once(self, valkey, job):
        about = {"phone_number_id": NUMBER} if job in {Job.DRAIN, Job.QUARANTINE} else {}

        for _ in range(20):
            jobs.ring_now(job, **about)

        assert valkey.llen(jobs.queue(job, about)) == 1

    def test_that_redis_does_not_take_is_lost_without_a_sound(
        self, servers, valkey, db, django_capture_on_commit_callbacks, caplog
    ):
        servers.valkey.kill()
        try:
            with django_capture_on_commit_callbacks(execute=True):
                jobs.ring(Job.DRAIN, phone_number_id=NUMBER)
        finally:
            servers.valkey.start()

        # Django logs what a callback raises.
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
        assert rings(valkey) == 0

    def test_now_tells_when_redis_does_not_take_it(self, servers, valkey):
        servers.valkey.kill()
        try:
            with pytest.raises(redis.RedisUnavailableError):
                jobs.ring_now(Job.DRAIN, phone_number_id=NUMBER)
        finally:
            servers.valkey.start()


class TestDelayedRing:
    def test_is_published_later(self, valkey, db, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.ring(Job.DRAIN, delay=0.1, phone_number_id=NUMBER)
        at_once = rings(valkey)

        wait_until(lambda: rings(valkey), what="the ring")

        assert at_once == 0

    def test_of_one_number_for_one_moment_is_made_once(
        self, valkey, db, django_capture_on_commit_callbacks, settings
    ):
        queue = jobs.queue(Job.DRAIN, {"phone_number_id": NUMBER})

        with django_capture_on_commit_callbacks(execute=True):
            for _ in range(200):
                jobs.ring(Job.DRAIN, delay=0.2, phone_number_id=NUMBER)
            jobs.ring(Job.DRAIN, delay=5, phone_number_id="later")

        taken, worker = 0, Redis.from_url(settings.REDIS_URL)
        while worker.brpop([queue], 1):
            taken += 1
        # The 200 may fall on both sides of a grain, or of a few on a busy machine.
        assert 1 <= taken < 20

    def test_of_two_numbers_is_made_for_each(self, valkey, db, django_capture_on_commit_callbacks):
        numbers = [f"{n}" for n in range(5)]

        with django_capture_on_commit_callbacks(execute=True):
            for number in numbers:
                jobs.ring(Job.DRAIN, delay=0.05, phone_number_id=number)

        wait_until(lambda: rings(valkey, *numbers) == 5, what="a ring for each number")

    def test_comes_in_the_order_of_its_time(self, valkey, db, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.ring(Job.APPLY_EVENTS, delay=60)
            jobs.ring(Job.DRAIN, delay=0.05, phone_number_id=NUMBER)

        wait_until(lambda: rings(valkey), what="the sooner ring")

        assert valkey.llen("default") == 0
