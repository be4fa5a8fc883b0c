"""
The job of this project built on procrastinate: a job per message, a lock per customer, all in Postgres.

The webhook stores the message and defers the job in one transaction. A worker asks the model and sends the
reply, up to WORKER_CONCURRENCY jobs at a time on one event loop. A periodic job retries the jobs of workers
whose heartbeat stopped RECOVERY_SECONDS ago, as procrastinate's documentation recommends.

https://procrastinate.readthedocs.io/en/stable/howto/production/retry_stalled_jobs.html

    granian --interface asgi procrastinate_service:web
    python -c 'import procrastinate_service; procrastinate_service.work()'
"""

import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import procrastinate
import psycopg
import store
import uvloop
import whatsapp
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_RECOVERY_SECONDS = float(os.environ["RECOVERY_SECONDS"])
_CONCURRENCY = int(os.environ["WORKER_CONCURRENCY"])
_POOL_SIZE = 20


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    """Spare single statements a transaction of their own; procrastinate takes no such pool argument."""
    await connection.set_autocommit(True)


pool = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=4,
    max_size=_POOL_SIZE,
    open=False,
    configure=_configure,
    kwargs={"row_factory": dict_row},
)
queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
model = openai.AsyncOpenAI(timeout=30, max_retries=3)
graph = httpx2.AsyncClient(timeout=10, limits=httpx2.Limits(max_connections=_CONCURRENCY))


async def receive(request: Request) -> Response:
    """Store the messages of a signed webhook with their jobs, and the statuses of replies."""
    body = await request.body()
    if not whatsapp.is_signed(body, request.headers.get("x-hub-signature-256", "")):
        return Response(status_code=403)
    payload = json.loads(body)
    async with pool.connection() as connection:
        for message in whatsapp.messages(payload):
            async with connection.transaction():
                cursor = await connection.execute(store.INSERT_MESSAGE_SQL, message)
                if await cursor.fetchone():
                    lock = f"{message['phone_number_id']}:{message['customer']}"
                    job = answer.configure(lock=lock, connection=connection)
                    await job.defer_async(message_id=message["message_id"])
        for status in whatsapp.statuses(payload):
            await connection.execute(store.STORE_STATUS_SQL, status)
    return Response()


@queue.task(name="answer", retry=procrastinate.RetryStrategy(max_attempts=5, exponential_wait=2))
async def answer(message_id: str) -> None:
    """Ask the model for a reply, charge a credit for it and send it; a retry goes on where it stopped."""
    async with pool.connection() as connection:
        cursor = await connection.execute(store.LOAD_SQL, {"message_id": message_id})
        row: dict[str, Any] | None = await cursor.fetchone()
    if row is None or row["sent_at"] or (row["reply"] is None and not row["credits"]):
        return
    reply = row["reply"] or await _ask(row)
    request = whatsapp.reply_request(row, reply)
    sent = await graph.post(request.url, headers=request.headers, json=request.json)
    sent.raise_for_status()
    values = {"message_id": message_id, "graph_id": whatsapp.graph_id(sent.json())}
    async with pool.connection() as connection:
        await connection.execute(store.STORE_SENT_SQL, values)


async def _ask(row: dict[str, Any]) -> str:
    """Return the model's reply, stored and charged."""
    response = await model.responses.create(
        model="gpt-6-luna",
        instructions=row["instructions"],
        input=row["body"],
        previous_response_id=row["previous_response_id"],
    )
    values = {"reply": response.output_text, "response_id": response.id, "message_id": row["message_id"]}
    async with pool.connection() as connection:
        await connection.execute(store.STORE_REPLY_SQL, values)
    return response.output_text


@queue.periodic(cron="* * * * * */2")
@queue.task(name="retry_stalled_jobs", queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: procrastinate.JobContext, timestamp: int) -> None:
    """Retry the jobs of workers that died."""
    jobs = queue.job_manager
    for job in await jobs.get_stalled_jobs(seconds_since_heartbeat=_RECOVERY_SECONDS):
        await jobs.retry_job(job)


@asynccontextmanager
async def _opened(_web: Starlette) -> AsyncIterator[None]:
    async with pool, queue.open_async(pool):
        yield


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


web = Starlette(
    routes=[Route("/webhook/meta", receive, methods=["POST"]), Route("/health/ready", _health)],
    lifespan=_opened,
)


def work() -> None:
    """Run a worker until it is told to stop."""
    logging.basicConfig(level=logging.WARNING)
    uvloop.run(_work())


async def _work() -> None:
    async with pool, queue.open_async(pool), graph:
        async with pool.connection() as connection:
            await connection.execute(store.INSERT_WORKER_SQL, {"pid": os.getpid()})
        await queue.run_worker_async(
            concurrency=_CONCURRENCY,
            delete_jobs="successful",
            update_heartbeat_interval=_RECOVERY_SECONDS / 3,
            stalled_worker_timeout=_RECOVERY_SECONDS,
        )
