"""Celery's pool with separate threads for each job."""

import threading

import pytest

from config.celery import app
from config.lib.job_threads import THREADS, TaskPool
from config.lib.jobs import Job
from tests.rig import wait_until


class Work:
    """Jobs that last until the test lets them go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_end = threading.Event()

    def last(self, job: str, *_: object) -> tuple[bool, None, float]:
        self.begun.append(job)
        self.may_end.wait(600)
        return (False, None, 0.0)


@pytest.fixture
def work():
    made = Work()
    yield made
    made.may_end.set()


@pytest.fixture
def pool(work):
    made = TaskPool(limit=3, app=app)
    made.start()
    yield made
    work.may_end.set()
    made.stop()


def apply(pool, work, job: Job, count: int) -> None:
    for _ in range(count):
        pool.apply_async(work.last, args=(job.value, "an id"), accept_callback=lambda *_: None)


class TestTaskPool:
    def test_job_does_not_wait_behind_another_job(self, pool, work):
        apply(pool, work, Job.EXTRACT, 80)
        apply(pool, work, Job.QUARANTINE, 80)
        apply(pool, work, Job.SEND, 1)

        wait_until(lambda: Job.SEND in work.begun, what="the reply of staff")

    def test_job_has_as_many_threads_as_are_listed_or_as_the_process_has(self, pool, work):
        for job in (Job.EXTRACT, Job.SEND, Job.LOOK):
            apply(pool, work, job, 40)
        expected = {Job.EXTRACT: 3, Job.SEND: THREADS[Job.SEND], Job.LOOK: 1}

        wait_until(lambda: len(work.begun) >= sum(expected.values()), what="all threads")

        assert {job: work.begun.count(job) for job in expected} == expected

    def test_rings_that_wait_are_done_in_turn(self, pool, work):
        work.may_end.set()

        apply(pool, work, Job.EXTRACT, 40)

        wait_until(lambda: work.begun == [Job.EXTRACT] * 40, what="all of them")

    def test_stop_ends_what_runs_and_drops_what_waits(self, work):
        pool = TaskPool(limit=2, app=app)
        pool.start()
        apply(pool, work, Job.EXTRACT, 10)
        wait_until(lambda: len(work.begun) == 2, what="both threads")
        threading.Timer(0.2, work.may_end.set).start()

        pool.stop()

        assert len(work.begun) == 2

    def test_is_what_workers_use_unless_told_otherwise(self, settings):
        assert f"{TaskPool.__module__}:{TaskPool.__name__}" == settings.CELERY_WORKER_POOL
