"""Celery's thread pool with separate threads for each job, so that no kind of work queues behind another."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.concurrency.base import BasePool, apply_target

from config.lib import metrics
from config.lib.jobs import Job

# How many of a job run in one process at a time. Jobs that are not listed here, readings of conversations and
# webhooks to businesses, have as many threads as `--concurrency` says.
THREADS: dict[str, int] = {
    Job.SEND: 8,
    Job.CLOSE_CONVERSATIONS: 2,
    Job.QUARANTINE: 2,
    Job.DELIVER_SLOW_WEBHOOKS: 8,
    # mail.SENDERS is the bound of all processes together.
    Job.SEND_EMAILS: 2,
    # A second ring looks for what the first has overlooked.
    Job.APPLY_EVENTS: 2,
    Job.LOOK: 1,
    Job.PURGE: 1,
    Job.PURGE_CONVERSATIONS: 1,
    Job.PURGE_LEADS: 1,
    Job.DELETE_ELSEWHERE: 1,
    Job.ERASE: 1,
    Job.CHECK_ENDINGS: 1,
    Job.CHECK_NUMBERS: 1,
}


class TaskPool(BasePool):
    """
    One executor per job.

    Celery takes every ring out of Redis at once (queues are `no_ack`, which lifts its prefetch limit), so
    rings wait here. They wait for a thread of their own job only, whatever else there is to do.
    """

    body_can_be_buffer = True
    signal_safe = False

    def __init__(self, *args: Any, **more: Any) -> None:
        """Start no thread yet: an executor starts them as it needs them."""
        super().__init__(*args, **more)
        self._executors: dict[str, ThreadPoolExecutor] = {}

    def on_stop(self) -> None:
        """End when the jobs that run have ended; rings that wait are dropped, the sweeper repeats them."""
        for executor in self._executors.values():
            executor.shutdown(cancel_futures=True)

    def on_apply(self, *args: Any, **options: Any) -> None:
        """Run a task on a thread of its job; the first of the task's arguments is its name."""
        target, task_args, task_kwargs = args
        callbacks = options.get("callback"), options.get("accept_callback")
        self._executor(task_args[0]).submit(apply_target, target, task_args, task_kwargs, *callbacks)

    def _executor(self, job: str) -> ThreadPoolExecutor:
        # Only Celery's consumer thread applies tasks.
        if job not in self._executors:
            executor = ThreadPoolExecutor(THREADS.get(job, self.limit), thread_name_prefix=job)
            metrics.JOBS_WAITING.labels(job).set_function(executor._work_queue.qsize)  # noqa: SLF001
            self._executors[job] = executor
        return self._executors[job]
