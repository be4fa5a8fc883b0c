"""The Celery application with tasks that note in Redis that they ran, for workers that tests start."""

import redis
from django.conf import settings

from config.celery import app
from config.lib.task_worker import AtOnceTask

NOTED = "tests:noted"


def client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@app.task(name="tests.note")
def note(*, name: str) -> None:
    client().rpush(NOTED, name)


@app.task(name="tests.wait")
def wait(*, name: str) -> None:
    """Note the name, and go on once the test pushes to the list of that name."""
    connected = client()
    connected.rpush(NOTED, name)
    connected.blpop([f"tests:gate:{name}"], 60)


@app.task(name="tests.note_at_once", base=AtOnceTask)
def note_at_once(*, name: str) -> None:
    """Note the name, or fail if it is `bad`."""
    if name == "bad":
        raise ValueError(name)
    client().rpush(NOTED, name)
