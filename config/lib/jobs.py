"""
Doorbells: background jobs rung by name.

A ring carries ids only and may be lost or doubled; the sweeper rings again for whatever waits. Rings are
published after the surrounding transaction commits. One that is due later waits in this process, not in the
broker (Celery's ETAs are run again by every visibility timeout). Equal rings for one moment become one, and
while a ring waits in its queue equal ones are not published (`task_queue`).
"""

import atexit
import heapq
import itertools
import threading
import time
import zlib
from enum import StrEnum

import structlog
from django.conf import settings
from django.db import transaction

from config.lib import failpoints, logs, redis, task_queue

log = structlog.get_logger(__name__)


class Job(StrEnum):
    """Every background job; the value is the Celery task's name."""

    DRAIN = "conversations.drain"
    QUARANTINE = "conversations.quarantine"
    APPLY_EVENTS = "conversations.apply_events"
    SEND = "conversations.send"
    CLOSE_CONVERSATIONS = "conversations.close_archived"
    DELETE_ELSEWHERE = "conversations.delete_elsewhere"
    ERASE = "privacy.erase"
    PURGE = "channels_app.purge"
    PURGE_CONVERSATIONS = "conversations.purge"
    PURGE_LEADS = "extraction.purge"
    LOOK = "extraction.look"
    EXTRACT = "extraction.extract"
    DELIVER_WEBHOOKS = "billing.deliver_webhooks"
    DELIVER_SLOW_WEBHOOKS = "billing.deliver_slow_webhooks"
    SEND_EMAILS = "billing.send_emails"
    CHECK_ENDINGS = "agents.check_endings"
    CHECK_NUMBERS = "agents.check_numbers"


_QUEUES = {
    Job.QUARANTINE: "quarantine",
    Job.LOOK: "extraction",
    Job.EXTRACT: "extraction",
    Job.DELIVER_WEBHOOKS: "notify",
    Job.DELIVER_SLOW_WEBHOOKS: "notify",
    Job.SEND_EMAILS: "notify",
}


def shard(phone_number_id: str) -> int:
    """Return the message queue of a phone number (by crc32, since `hash()` differs by process)."""
    return zlib.crc32(phone_number_id.encode()) % int(settings.MESSAGE_QUEUE_SHARDS)


def queue(job: Job, kwargs: dict[str, str]) -> str:
    """Name the queue a ring goes to."""
    if job is Job.DRAIN:
        return f"messages.{shard(kwargs['phone_number_id'])}"
    return _QUEUES.get(job, "default")


def ring(job: Job, *, delay: float = 0, **kwargs: str) -> None:
    """
    Ring for a job once the transaction commits, `delay` seconds later; without Redis nothing happens.

    By a thread of its own: whoever rings must not wait for Redis, and of equal rings that wait one is enough.
    """
    transaction.on_commit(lambda: _timer.add(job, kwargs, delay), robust=True)


def ring_now(job: Job, **kwargs: str) -> None:
    """
    Publish a ring at once.

    :raises RedisUnavailableError: if the broker does not take it
    """
    task_queue.publish([_message(job, kwargs, logs.correlation_id())])


def _message(job: Job, kwargs: dict[str, str], correlation_id: str) -> task_queue.Message:
    return task_queue.Message(queue(job, kwargs), job.value, kwargs, correlation_id)


# A moment, as a number of grains, the job, and what it is rung for.
Slot = tuple[int, Job, tuple[str, ...]]
AT_ONCE = 0


class _Timer:
    """Rings that wait to be published; a restart forgets them, and the sweeper does not."""

    # Rings of one job for one number closer together than this become one. Events come in crowds, and one
    # application takes them all.
    GRAIN = 0.02
    GRAINS = {Job.APPLY_EVENTS: 0.5}

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Slot, task_queue.Message]] = []
        self._waiting: set[Slot] = set()
        self._counter = itertools.count()
        self._is_ringing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, job: Job, kwargs: dict[str, str], delay: float) -> None:
        grain = self.GRAINS.get(job, self.GRAIN)
        moment = int((time.monotonic() + delay) / grain) + 1 if delay > 0 else AT_ONCE
        slot = (moment, job, tuple(kwargs.values()))
        with self._changed:
            if slot in self._waiting:
                return
            self._waiting.add(slot)
            message = _message(job, kwargs, logs.correlation_id())
            entry = (moment * grain, next(self._counter), slot, message)
            heapq.heappush(self._heap, entry)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ring-timer", daemon=True)
                self._thread.start()
            if self._heap[0] is entry:
                self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: not self._is_ringing and not (self._heap and self._heap[0][0] <= time.monotonic()),
                timeout,
            )

    def _run(self) -> None:
        while True:
            messages = self._due()
            failpoints.reach("P2")
            try:
                task_queue.publish(messages)
            except redis.RedisUnavailableError as error:
                log.debug("jobs.rings_lost", count=len(messages), reason=str(error))
            with self._changed:
                self._is_ringing = False
                self._changed.notify_all()

    def _due(self) -> list[task_queue.Message]:
        """Wait for the next moment, and take all that is to be rung by then."""
        with self._changed:
            while not self._heap or self._heap[0][0] > time.monotonic():
                self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
            now, messages = time.monotonic(), []
            while self._heap and self._heap[0][0] <= now:
                _, _, slot, message = heapq.heappop(self._heap)
                self._waiting.discard(slot)
                messages.append(message)
            self._is_ringing = True
            return messages


_timer = _Timer()


def flush(timeout: float = 2.0) -> None:
    """Wait until what is to be rung by now was rung: for a process that ends, as a command does."""
    _timer.flush(timeout)


atexit.register(flush)
