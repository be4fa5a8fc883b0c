"""
How a worker receives messages: it drops one while an equal one waits in this process for a thread.

Queues are read without acknowledgement, so a worker takes whatever comes, and a busy one must not collect
more and more. The message that waits will look for work later than the dropped one came.

A task of the class `AtOnceTask` only notes that there is work and never blocks. It runs where messages are
received: a request, a thread and the signals of a run would cost many times what it does.
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from celery import Celery, Task, signals
from celery.worker import strategy

from config.lib import errors, task_queue

if TYPE_CHECKING:
    AnyTask = Task[..., Any]
else:
    AnyTask = Task

# Seconds for which equal messages are dropped at most, should the one that waits have vanished in the worker.
LONGEST_WAIT = 60.0

log = structlog.get_logger(__name__)

_waiting: dict[str, float] = {}
_lock = threading.Lock()


class DoorbellTask(AnyTask):
    """A task whose message carries ids only: one that waits stands for all that are equal."""

    Strategy = "config.lib.task_worker:receiver"


class AtOnceTask(DoorbellTask):
    """A task that runs in the thread that receives messages. It must not block."""

    Strategy = "config.lib.task_worker:receiver_at_once"


def receiver(task: AnyTask, app: Celery, consumer: Any) -> Callable[..., None]:
    """Return the function that Celery's consumer calls with each message for a task."""
    receive = strategy.default(task, app, consumer)

    def receive_once(message: Any, body: Any, _ack: Any, _reject: Any, callbacks: Any) -> None:
        if _is_first(task_queue.key(task.name, message.payload[1])):
            # Without acknowledgements, which would cost a round trip to Redis and a few bytes for ever.
            receive(message, body, _do_nothing, _do_nothing, callbacks)

    return receive_once


def receiver_at_once(task: AnyTask, _app: Celery, _consumer: Any) -> Callable[..., None]:
    """Return the function that Celery's consumer calls with each message for a task that runs at once."""
    return partial(_run_at_once, task)


def _run_at_once(task: AnyTask, message: Any, *_: Any) -> None:
    _, kwargs, _ = message.payload
    try:
        task.run(**kwargs)
    except Exception as error:  # noqa: BLE001  (the worker goes on receiving)
        log.error("task.failed", task=task.name, reason=errors.summary(error))


@signals.task_prerun.connect
def _begin(task: AnyTask, kwargs: Mapping[str, str], **_: Any) -> None:
    """Accept equal messages again, before the task looks for work."""
    with _lock:
        _waiting.pop(task_queue.key(task.name, kwargs), None)


def _is_first(key: str) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _waiting.get(key, -LONGEST_WAIT) < LONGEST_WAIT:
            return False
        _waiting[key] = now
        return True


def _do_nothing(*_: object) -> None:
    """Stand in for an acknowledgement."""
