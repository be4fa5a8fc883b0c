"""
Messages that cannot be stored, for real causes: a trigger in Postgres, or a payload that raises when written.

The id of a message names its cause: `…poison-23505` is refused by a trigger with that SQLSTATE, `…late-23505`
by one that waits for the COMMIT. In a body of the kind "test", an item may name a Python exception.
"""

import builtins
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection

from channels_app.meta.types import Inbound, Parsed, Person
from config.lib.failpoints import FailpointError
from tests.factories import SENT_AT

# None of them says that Postgres is away; some are OperationalErrors to psycopg.
SQLSTATES = (
    *("0A000", "21000", "22001", "22P05", "23502", "23503", "23505", "23514", "25001", "27000", "2BP01"),
    *("38000", "42501", "42703", "42P01", "54000", "55000", "P0001", "P0004", "XX000"),
)
EXCEPTIONS = (
    *("ArithmeticError", "AssertionError", "AttributeError", "BufferError", "EOFError", "FailpointError"),
    *("IndexError", "KeyError", "LookupError", "MemoryError", "NotImplementedError", "OSError"),
    *("OverflowError", "RecursionError", "RuntimeError", "StopIteration", "TypeError", "TimeoutError"),
    *("UnicodeError", "ValueError"),
)
BY_TRIGGER = tuple(f"{when}-{code}" for code in SQLSTATES for when in ("poison", "late"))
KINDS = (*BY_TRIGGER, *EXCEPTIONS)

_TABLES = ("inbound_messages", "channel_events")
_FUNCTION = """
    CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'my secret, 12025550143' USING ERRCODE = right(NEW.provider_message_id, 5);
    END $$
"""
_TRIGGERS = """
    CREATE TRIGGER refuse_poison BEFORE INSERT ON {table} FOR EACH ROW
      WHEN (NEW.provider_message_id ~ 'poison-[0-9A-Z]{{5}}$') EXECUTE FUNCTION refuse_poison();
    CREATE CONSTRAINT TRIGGER refuse_late AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
      WHEN (NEW.provider_message_id ~ 'late-[0-9A-Z]{{5}}$') EXECUTE FUNCTION refuse_poison();
"""


@contextmanager
def triggers() -> Iterator[None]:
    """Install the triggers; needs a database that the test commits to."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION)
        for table in _TABLES:
            cursor.execute(_TRIGGERS.format(table=table))
    try:
        yield
    finally:
        drop_triggers()


def drop_triggers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS refuse_poison() CASCADE")


class _Raising(dict):
    """A payload that raises when it is written as JSON."""

    def __init__(self, name: str) -> None:
        super().__init__(raises=name)

    def items(self) -> Any:
        raise exception(self["raises"])


def exception(name: str) -> Exception:
    kind = FailpointError if name == "FailpointError" else getattr(builtins, name)
    return kind("my secret, 12025550143")


def body(*message_ids: str) -> bytes:
    """Build a body of the kind "test"; an id that ends in the name of an exception raises it."""
    return json.dumps({"object": "test", "ids": message_ids}).encode()


def parse(payload: dict[str, Any], *, now: datetime) -> Parsed:
    """Read a body of the kind "test"."""
    return Parsed(inbound=[_message(message_id, _payload(message_id)) for message_id in payload["ids"]])


def parse_mended(payload: dict[str, Any], *, now: datetime) -> Parsed:
    """Read a body of the kind "test" once nothing in it raises any more."""
    return Parsed(inbound=[_message(message_id, {}) for message_id in payload["ids"]])


def _payload(message_id: str) -> dict[str, Any]:
    name = message_id.rpartition("-")[2]
    return _Raising(name) if name in EXCEPTIONS else {}


def _message(message_id: str, payload: dict[str, Any]) -> Inbound:
    return Inbound(
        phone_number_id="1", provider_message_id=message_id, person=Person(wa_id=f"w-{message_id}"[:50]),
        kind="text", text="my secret", payload=payload, sent_at=SENT_AT,
    )  # fmt: skip
