"""Nothing that identifies a person reaches a log line, whichever way an error is logged."""

import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from unittest.mock import AsyncMock

import pytest
import structlog
from celery.app.trace import build_tracer
from django.core.handlers.exception import response_for_exception
from django.db import Error, connection, transaction
from django.test import RequestFactory

from config import live
from config.celery import app
from config.gateway.application import Application
from config.gateway.bodies import BodyRule
from config.lib import masking

PHONE = "491546072814"
EMAIL = "ana.perez@bakery.example"
NAME = "Rosalind Q."
TEXT = f"{NAME} +{PHONE} {EMAIL}\nsecond line of {NAME}"

# The key columns of every unique index of our tables, with what a statement is told when it breaks one.
_INDEXES = """
    SELECT class.relname, owner.relname, index.indnkeyatts,
           array_agg(pg_get_indexdef(index.indexrelid, position, false) ORDER BY position)
      FROM pg_index index
      JOIN pg_class class ON class.oid = index.indexrelid
      JOIN pg_class owner ON owner.oid = index.indrelid
      JOIN pg_namespace namespace ON namespace.oid = owner.relnamespace,
           generate_series(1, index.indnkeyatts) position
     WHERE index.indisunique AND namespace.nspname = 'public'
     GROUP BY 1, 2, 3 ORDER BY 2, 1
"""
# A value of each type that a unique index may have, as sensitive as the type allows.
_VALUES = {
    "text": TEXT,
    "character varying": TEXT,
    "bigint": int(PHONE),
    "integer": 1546072814,
    "smallint": 7,
    "boolean": True,
    "uuid": "00000000-0000-4000-8000-491546072814",
    "timestamp with time zone": "2026-11-22T12:00:00Z",
    "bytea": PHONE.encode(),
}


@pytest.fixture
def output(capfd) -> Iterator[Callable[[], str]]:
    """Everything that was written: by our log handler, and to stdout and stderr past it."""
    written = io.StringIO()
    handler = next(
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    )
    stderr = handler.setStream(written)
    yield lambda: written.getvalue() + "".join(capfd.readouterr())
    handler.setStream(stderr)


def unique_indexes() -> list[tuple[str, str, list[str]]]:
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES)
        return [(name, table, columns) for name, table, _, columns in cursor.fetchall()]


def duplicate(table: str, columns: list[str]) -> Error:
    """Return the error of a second row with the same key, in a copy of the table whose key is `columns`."""
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE TEMP TABLE copied (LIKE "{table}") ON COMMIT DROP')
        cursor.execute(
            "SELECT attname, attnotnull, format_type(atttypid, NULL), atttypmod FROM pg_attribute"
            " WHERE attrelid = 'copied'::regclass AND attnum > 0"
        )
        types = {}
        for column, is_required, kind, size in cursor.fetchall():
            types[column] = kind
            if is_required:
                cursor.execute(f'ALTER TABLE copied ALTER COLUMN "{column}" DROP NOT NULL')
            if kind == "character varying" and size > 0:
                cursor.execute(f'ALTER TABLE copied ALTER COLUMN "{column}" TYPE varchar')
        cursor.execute(f"CREATE UNIQUE INDEX ON copied ({', '.join(columns)})")
        keys = [column for column in types if any(column in key.replace('"', " ").split() for key in columns)]
        assert keys, f"{table} {columns}: no column found in the key"
        row = [_VALUES[types[key]] for key in keys]
        names = ", ".join(f'"{key}"' for key in keys)
        statement = f"INSERT INTO copied ({names}) VALUES ({', '.join(['%s'] * len(keys))})"
        cursor.execute(statement, row)
        try:
            with transaction.atomic():
                cursor.execute(statement, row)
        except Error as error:
            cursor.execute("DROP TABLE copied")
            return error
    raise AssertionError(f"{table} {columns}: a second row was taken")


def log_with_structlog(error: Error) -> None:
    log = structlog.get_logger("room")
    try:
        raise error
    except Error:
        log.exception("thing.failed", address=EMAIL)
    log.warning("thing.failed", reason=str(error), error=repr(error), row={"key": [{PHONE: (error,)}]})
    log.warning("thing.failed for %s", PHONE, exc_info=error, count=int(PHONE))


def log_with_logging(error: Error) -> None:
    log = logging.getLogger("library")
    try:
        raise RuntimeError(f"no row for {EMAIL}") from error
    except RuntimeError:
        log.exception("failed for %s", PHONE, extra={"sender": {"phone": int(PHONE)}, "error": error})
    log.error("failed: %s and %r", error, error, stack_info=True)


def fail_in_a_task(error: Error) -> None:
    @app.task(name=f"test.fail-{id(error)}", shared=False)
    def fail(**_: str) -> None:
        raise error

    try:
        tracer = build_tracer(fail.name, fail, app=app)
        tracer("0b6a", (), {"phone": PHONE}, {"id": "0b6a", "headers": None, "delivery_info": {}})
    finally:
        app.tasks.unregister(fail.name)


def fail_in_a_request(error: Error) -> None:
    request = RequestFactory().get(f"/users/1?customer_phone={PHONE}&email={EMAIL}")
    try:
        raise error
    except Error:
        assert response_for_exception(request, error).status_code == 500


def fail_in_the_gateway(error: Error) -> None:
    async def respond(*_: object) -> None:
        raise error

    async def receive() -> dict:
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    sent: list[dict] = []
    application = Application(rule_of=lambda _: BodyRule(), respond=respond, max_requests=1)
    scope = {"type": "http", "method": "GET", "path": f"/users/{PHONE}", "headers": []}
    asyncio.run(application(scope, receive, send))
    assert sent[0]["status"] == 500


def fail_in_a_stream(error: Error) -> None:
    async def send(message: dict) -> None:
        sent.append(message)

    sent: list[dict] = []
    scope = {"type": "http", "method": "GET", "path": "/webchat/web_x/events", "headers": []}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "_serve", AsyncMock(side_effect=error))
        asyncio.run(live.application(scope, AsyncMock(), send))
    assert sent[0]["status"] == 500


def fail_in_a_thread(error: Error) -> None:
    def fail() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        _with_our_hooks(patched)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()


def fail_as_a_process(error: Error) -> None:
    with pytest.MonkeyPatch.context() as patched:
        _with_our_hooks(patched)
        sys.excepthook(type(error), error, error.__traceback__)


def _with_our_hooks(patched: pytest.MonkeyPatch) -> None:
    from config.lib import logs

    patched.setattr(sys, "excepthook", logs._log_crash)
    patched.setattr(threading, "excepthook", logs._log_thread_crash)


WAYS = [
    log_with_structlog, log_with_logging, fail_in_a_task, fail_in_a_request, fail_in_the_gateway,
    fail_in_a_stream, fail_in_a_thread, fail_as_a_process,
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("log", WAYS)
def test_a_broken_unique_index_shows_no_values_in_the_log(output, log):
    shown, silent, indexes = [], [], unique_indexes()
    for name, table, columns in indexes:
        error = duplicate(table, columns)
        assert "already exists" in str(error), name
        log(error)
        written = output()
        if "duplicate key value" not in written:
            silent.append(name)
        secrets = (PHONE, EMAIL, NAME, "second line", "1546072814")
        shown += [f"{name}: {secret}" for secret in secrets if secret in written]

    assert (shown, silent) == ([], [])
    assert len(indexes) > 50


@pytest.mark.django_db
def test_every_unique_index_was_broken_with_a_sensitive_value_where_its_type_allows_one():
    without = set()
    for name, table, columns in unique_indexes():
        text = str(duplicate(table, columns))
        if not any(secret in text for secret in (PHONE, EMAIL, "1546072814")):
            without.add(name)

    assert without == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+49 1546 072-814 called", "+49…14 called"),
        ("write to ana.perez@bakery.example now", "write to …@… now"),
        ("key mcak_0a1b2c3d_c2VjcmV0c2VjcmV0", "key (token)"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: (token)"),
        ("GET /v25.0/1?access_token=EAAGm0PX4ZCps&x=1", "GET /v25.0/1?access_token=(hidden)&x=1"),
        ("took 1234567 ms at 12:30", "took 1234567 ms at 12:30"),
    ],
)
def test_text_is_masked(text, expected):
    assert masking.masked(text) == expected


def test_values_that_an_exception_quotes_are_hidden():
    for text in (
        "invalid input syntax for type integer: \"my secret\"\nLINE 1: SELECT 'my secret'",
        "1 validation error\n  value [type=int, input_value='my secret', input_type=str]",
        "IntegrityError('duplicate key\\nDETAIL:  Key (text)=(my\\nsecret) already exists.')",
    ):
        assert "secret" not in masking.without_values(text)


def test_a_chained_exception_is_shown_after_the_values_of_the_first():
    text = (
        "duplicate key\nDETAIL:  Key (a)=(b\n\nc).\n\n"
        "The above exception was the direct cause of the following exception:\nValueError"
    )

    cleaned = masking.without_values(text)

    assert "The above exception" in cleaned
    assert "ValueError" in cleaned
    assert "Key" not in cleaned


def test_nested_values_are_masked_and_ids_are_not():
    cleaned = masking.clean(
        {"phone_number_id": "106540352242922", "rows": [(PHONE, {EMAIL: int(PHONE)}, object)], "count": 3}
    )

    assert cleaned["phone_number_id"] == "106540352242922"
    assert cleaned["count"] == 3
    assert PHONE not in json.dumps(cleaned)
    assert EMAIL not in json.dumps(cleaned)
