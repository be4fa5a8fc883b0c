"""Celery's queues, in which equal messages wait once (`task_queue`, `task_worker`, `task_schedule`)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from config.lib import jobs, task_queue
from config.lib.jobs import Job
from config.lib.task_queue import Message
from tests import environment
from tests.config.noting_tasks import NOTED
from tests.rig import wait_until

QUEUE = "default"
PROJECT = Path(__file__).parent.parent.parent
THREADS = 2


def publish(*names: str, task: str = "tests.note") -> None:
    task_queue.publish([Message(QUEUE, task, {"name": name}) for name in names])


def waiting(valkey) -> list[str]:
    """Return the names in the queue, the oldest first."""
    import json

    messages = [json.loads(entry) for entry in valkey.lrange(QUEUE, 0, -1)]
    return [json.loads(message["body"])[1]["name"] for message in reversed(messages)]


class TestPublish:
    def test_queues_a_message_once_however_often_it_is_published(self, valkey):
        for _ in range(50):
            publish("a", "b", "a")

        assert waiting(valkey) == ["a", "b"]

    def test_queues_it_again_once_it_was_taken(self, valkey):
        publish("a", "b")
        valkey.rpop(QUEUE)

        publish("a", "b")

        assert waiting(valkey) == ["b", "a"]

    def test_keeps_tasks_apart(self, valkey):
        publish("a")
        publish("a", task="tests.wait")

        assert valkey.llen(QUEUE) == 2

    def test_leaves_no_mark_behind_of_what_was_taken(self, valkey):
        for n in range(300):
            publish(str(n))
            valkey.rpop(QUEUE)

        publish("last")

        assert valkey.zcard(f"{QUEUE}:waiting") == 1

    @pytest.mark.parametrize("lost", [[QUEUE], [f"{QUEUE}:waiting"], [QUEUE, f"{QUEUE}:waiting"]])
    def test_queues_it_again_when_redis_lost_a_part(self, valkey, lost):
        publish("a", "b")
        valkey.delete(*lost)

        publish("a")

        assert "a" in waiting(valkey)

    def test_counts_messages_that_others_put_there_as_waiting(self, valkey):
        publish("a")
        valkey.rpop(QUEUE)
        valkey.lpush(QUEUE, "foreign")

        publish("a")
        valkey.rpop(QUEUE)
        publish("a")

        assert waiting(valkey) == ["a"]

    def test_costs_redis_less_than_a_megabyte_for_a_thousand_numbers(self, valkey):
        """An hour without workers, in which the sweeper rings for each number every second."""
        before = valkey.info("memory")["used_memory"]
        rings = [
            Message(
                jobs.queue(Job.DRAIN, {"phone_number_id": str(10**14 + n)}),
                Job.DRAIN.value,
                {"phone_number_id": str(10**14 + n)},
                "cor_0123456789abcdef0123456789abcdef",
            )
            for n in range(1000)
        ]

        for _ in range(30):
            task_queue.publish(rings)

        queues = {ring.queue for ring in rings}
        assert sum(valkey.llen(queue) for queue in queues) == 1000
        assert valkey.info("memory")["used_memory"] - before < 1_000_000


class TestSchedule:
    def test_queues_a_task_once_while_no_worker_takes_it(self, valkey, tmp_path):
        from config.celery import app
        from config.lib.task_schedule import Scheduler

        scheduler = Scheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
        try:
            for _ in range(3):
                for entry in scheduler.schedule.values():
                    scheduler.apply_entry(entry)
        finally:
            scheduler.close()

        messages = [*valkey.lrange("extraction", 0, -1), *valkey.lrange("default", 0, -1)]
        queued = [json.loads(message)["headers"]["task"] for message in messages]
        # Other tests' rings may come late.
        for entry in app.conf.beat_schedule.values():
            assert queued.count(entry["task"]) == 1

    def test_is_that_of_the_configuration(self):
        from config.celery import app
        from config.lib.task_schedule import Scheduler

        assert app.conf.beat_scheduler == f"{Scheduler.__module__}:{Scheduler.__name__}"


@pytest.fixture
def start_worker(valkey):
    """Return a function that starts a real worker of the queue, with two threads."""
    command = f"{sys.executable} -m celery -A tests.config.noting_tasks worker -Q {QUEUE} --pool threads"
    processes = []

    def start() -> None:
        with (environment.DATA_DIR / "log" / "noting.log").open("ab") as log:
            processes.append(
                subprocess.Popen(
                    [*command.split(), "--concurrency", str(THREADS), "--without-gossip", "--without-mingle"],
                    cwd=PROJECT, env=os.environ, stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def noted(valkey) -> list[str]:
    return [name.decode() for name in valkey.lrange(NOTED, 0, -1)]


def wait_until_noted(valkey, *names: str) -> None:
    wait_until(lambda: set(names) <= set(noted(valkey)), what=f"the tasks {names}")


def wait_until_taken(valkey) -> None:
    wait_until(lambda: not valkey.llen(QUEUE), what="the worker takes what waits")


@pytest.mark.long
class TestWorker:
    def test_runs_all_that_waited_for_it_and_each_once(self, valkey, start_worker):
        names = [str(n) for n in range(1000)]
        for _ in range(20):
            publish(*names)

        start_worker()

        wait_until_noted(valkey, *names)
        publish("end")
        wait_until_noted(valkey, "end")
        assert Counter(noted(valkey)) == Counter([*names, "end"])

    def test_runs_again_what_is_published_while_it_runs(self, valkey, start_worker):
        start_worker()
        publish("a", task="tests.wait")
        wait_until_noted(valkey, "a")

        publish("a", task="tests.wait")

        wait_until(lambda: noted(valkey) == ["a", "a"], what="the second run")
        valkey.rpush("tests:gate:a", "", "")

    def test_drops_what_equals_a_message_that_waits_for_a_thread(self, valkey, start_worker):
        start_worker()
        publish("x", "y", task="tests.wait")
        wait_until_noted(valkey, "x", "y")

        for _ in range(20):
            publish("a")
            wait_until_taken(valkey)
        valkey.rpush("tests:gate:x", "")
        valkey.rpush("tests:gate:y", "")

        publish("end")
        wait_until_noted(valkey, "a", "end")
        publish("a")
        wait_until(lambda: noted(valkey).count("a") == 2, what="one more run")
        assert Counter(noted(valkey)) == {"x": 1, "y": 1, "a": 2, "end": 1}

    def test_needs_only_another_ring_when_redis_forgot_all(self, valkey, start_worker):
        publish("a")
        valkey.flushdb()
        start_worker()

        publish("a")

        wait_until_noted(valkey, "a")

    def test_runs_tasks_at_once_although_all_threads_are_busy(self, valkey, start_worker):
        start_worker()
        publish("x", "y", task="tests.wait")
        wait_until_noted(valkey, "x", "y")

        publish("bad", task="tests.note_at_once")
        publish("a", task="tests.note_at_once")

        wait_until_noted(valkey, "a")
        valkey.rpush("tests:gate:x", "")
        valkey.rpush("tests:gate:y", "")
