"""
The job of this project as tutorials build it: a Celery task per message, a Redis lock per customer.

The webhook stores the message and sends the task. A worker asks the model and sends the reply in one of
WORKER_CONCURRENCY threads. A task is acknowledged when it ends (`acks_late`), and delivered again when it was
not acknowledged within RECOVERY_SECONDS (`visibility_timeout`): Celery loses a dead worker's tasks otherwise.

https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html#caveats

    granian --interface asgi celery_service:web
    celery -A celery_service worker --pool threads
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import celery
import openai
import redis
import requests
import store
import whatsapp
from celery.signals import worker_ready
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from requests.adapters import HTTPAdapter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_REDIS_URL = os.environ["REDIS_URL"]
_RECOVERY_SECONDS = float(os.environ["RECOVERY_SECONDS"])
_CONCURRENCY = int(os.environ["WORKER_CONCURRENCY"])
_GRAPH_SECONDS = 10
_POOL: dict[str, Any] = {
    "min_size": 4,
    "max_size": 20,
    "open": False,
    "kwargs": {"autocommit": True, "row_factory": dict_row},
}

app = celery.Celery(
    "celery_service",
    broker=f"redis+socket://{urlsplit(_REDIS_URL).path}" if _REDIS_URL.startswith("unix:") else _REDIS_URL,
)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=_CONCURRENCY,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": _RECOVERY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    },
)
locks = redis.Redis.from_url(_REDIS_URL)
arrivals = AsyncConnectionPool(os.environ["DATABASE_URL"], **_POOL)


async def receive(request: Request) -> Response:
    """Store the messages of a signed webhook, then send their tasks, and store the statuses of replies."""
    body = await request.body()
    if not whatsapp.is_signed(body, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=403)
    payload = json.loads(body)
    async with arrivals.connection() as connection:
        new = [
            message["message_id"]
            for message in whatsapp.messages(payload)
            if await (await connection.execute(store.INSERT_MESSAGE_SQL, message)).fetchone()
        ]
        for status in whatsapp.statuses(payload):
            await connection.execute(store.STORE_STATUS_SQL, status)
    for message_id in new:
        await run_in_threadpool(answer.delay, message_id)
    return Response()


@app.task(
    name="answer",
    autoretry_for=(openai.OpenAIError, requests.RequestException, redis.exceptions.LockError),
    retry_backoff=True,
    max_retries=5,
)
def answer(message_id: str) -> None:
    """Ask the model for a reply, charge a credit for it and send it, one message of a customer at a time."""
    row = _one(store.LOAD_SQL, message_id=message_id)
    if row is None:
        return
    name = f"customer:{row['phone_number_id']}:{row['customer']}"
    with locks.lock(name, timeout=_RECOVERY_SECONDS, blocking_timeout=2 * _RECOVERY_SECONDS):
        _answer(message_id)


def _answer(message_id: str) -> None:
    row = _one(store.LOAD_SQL, message_id=message_id)
    if row is None or row["sent_at"] or (row["reply"] is None and not row["credits"]):
        return
    request = whatsapp.reply_request(row, row["reply"] or _ask(row))
    sent = _graph().post(request.url, headers=request.headers, json=request.json, timeout=_GRAPH_SECONDS)
    sent.raise_for_status()
    _run(store.STORE_SENT_SQL, message_id=message_id, graph_id=whatsapp.graph_id(sent.json()))


def _ask(row: dict[str, Any]) -> str:
    """Return the model's reply, stored and charged."""
    response = _model().responses.create(
        model="gpt-6-luna",
        instructions=row["instructions"],
        input=row["body"],
        previous_response_id=row["previous_response_id"],
    )
    values = {"reply": response.output_text, "response_id": response.id, "message_id": row["message_id"]}
    _run(store.STORE_REPLY_SQL, **values)
    return response.output_text


@cache
def _database() -> ConnectionPool[Any]:
    pool = ConnectionPool(os.environ["DATABASE_URL"], **_POOL)
    pool.open(wait=True)
    return pool


@cache
def _model() -> openai.OpenAI:
    return openai.OpenAI(timeout=30, max_retries=3)


@cache
def _graph() -> requests.Session:
    session = requests.Session()
    session.mount("http", HTTPAdapter(pool_connections=1, pool_maxsize=_CONCURRENCY))
    return session


def _one(statement: str, **values: Any) -> dict[str, Any] | None:
    with _database().connection() as connection:
        row: dict[str, Any] | None = connection.execute(statement, values).fetchone()
        return row


def _run(statement: str, **values: Any) -> None:
    with _database().connection() as connection:
        connection.execute(statement, values)


@worker_ready.connect
def _note_worker(**_values: Any) -> None:
    _model()
    _graph()
    _run(store.INSERT_WORKER_SQL, pid=os.getpid())


@asynccontextmanager
async def _opened(_web: Starlette) -> AsyncIterator[None]:
    async with arrivals:
        yield


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


web = Starlette(
    routes=[Route("/webhook/meta", receive, methods=["POST"]), Route("/health/ready", _health)],
    lifespan=_opened,
)
