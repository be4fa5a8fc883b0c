"""Celery's beat: it rings as everybody does, so a task that still waits is not queued once more."""

from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

from config.lib import jobs


class Scheduler(PersistentScheduler):
    """Rings for the jobs of the schedule; each has the queue that it always has."""

    def apply_async(self, entry: ScheduleEntry, *_: Any, **__: Any) -> None:
        """
        Ring for an entry's job. Beat itself has noted before that its time came.

        :raises RedisUnavailableError: if the broker does not take it; beat logs it and goes on
        """
        jobs.ring_now(jobs.Job(str(entry.task)))
