"""
Records in which order transactions of this process lock rows, and finds those that take another order.

Each statement's text tells which tables it locks rows of (`statement_locks`), and advisory locks by their
class. A transaction is what a `transaction.atomic` of ours encloses, also inside one of the tests' own, or a
statement by itself.
"""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, wraps
from pathlib import Path
from typing import Any

import psycopg
from django.db.transaction import Atomic
from psycopg.pq import TransactionStatus

from config.lib.locks import Lock
from tests.statement_locks import Taken, locks_of

PROJECT = Path(__file__).parents[1]
TESTS = Path(__file__).parent

# As documentation/architecture.md says. What is not named here is locked by itself, or new.
ORDER = (
    "lock EVENTS",
    "phone_numbers",
    "agents",
    "lock CLAIM",
    "lock INTAKE",
    "customers",
    "inbound_messages",
    "turns",
    "conversations",
    "extractions",
    "messages",
    "deliveries",
    "credits",
)
_PLACE = {name: place for place, name in enumerate(ORDER)}

# Of a table, rows that this transaction changed so far.
_CHANGED_SQL = "SELECT n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE relname = %s"


def _advisory(statement: str, parameters: Any) -> tuple[Taken, ...]:
    if "advisory_xact_lock" not in statement:
        return ()
    number = parameters["lock"] if isinstance(parameters, dict) else parameters[0]
    return (Taken(f"lock {Lock(number).name}", waits="try_" not in statement),)


@dataclass(slots=True)
class Transaction:
    """The names of the locks that a transaction took so far, and what is wrong with their order."""

    place: str
    held: list[str] = field(default_factory=list)
    # Nobody else sees new rows, so nobody waits for them.
    new: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def suspects(self, locks: Iterable[Taken]) -> list[tuple[str, list[str]]]:
        """Return those of a statement's locks that others are held before which come later in ORDER."""
        found = []
        held = list(self.held)
        for lock in locks:
            place = _PLACE.get(lock.name)
            if place is not None and lock.waits and lock.name not in (*held, *self.new):
                later = [name for name in held if _PLACE.get(name, -1) > place]
                found += [(lock.name, list(dict.fromkeys(later)))] if later else []
            held += [] if lock.is_new else [lock.name]
        return found


class Recorder:
    """Records the transactions of all threads of this process; `faults` are those of another order."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._local = threading.local()

    @contextmanager
    def transaction(self, place: str) -> Iterator[None]:
        """Record a transaction, unless it is part of one that is recorded."""
        if not self.begin(place):
            yield
            return
        try:
            yield
        finally:
            self.end()

    def begin(self, place: str) -> bool:
        if getattr(self._local, "transaction", None) is not None:
            return False
        self._local.transaction = Transaction(place)
        return True

    def end(self) -> None:
        self.faults += self._local.transaction.faults
        self._local.transaction = None

    def run(
        self,
        execute: Callable[[], Any],
        statement: object,
        parameters: Any,
        *,
        changed: Callable[[str], int],
        is_alone: bool,
    ) -> Any:
        """
        Execute a statement and note its locks.

        :param changed: counts the rows of a table that this transaction of Postgres's changed so far
        :param is_alone: the statement is a transaction by itself
        """
        text = statement.decode() if isinstance(statement, bytes) else statement
        locks = (*_advisory(text, parameters), *locks_of(text)) if isinstance(text, str) else ()
        transaction = getattr(self._local, "transaction", None)
        if not locks or (transaction is None and not is_alone):
            return execute()
        transaction = transaction or Transaction("one statement")
        taken = [lock.name for lock in locks if not lock.is_new]
        transaction.new |= {lock.name for lock in locks if lock.is_new}
        suspects = transaction.suspects(locks)
        is_counted = suspects and not is_alone
        before = {lock.name: changed(lock.name) for lock in locks if is_counted and lock.by_change}
        cursor = execute()
        if cursor.rowcount == 0 and len(set(taken)) == 1:
            return cursor
        # A part of a statement may change no row.
        idle = {name for name, count in before.items() if changed(name) == count} - {*transaction.held}
        for name, later in suspects:
            if name not in idle and (held := [each for each in later if each not in idle]):
                shown = " ".join(str(text).split())[:300]
                fault = f"{transaction.place} locks {name} after {', '.join(held)}: {shown}"
                transaction.faults.append(fault)
        transaction.held += [name for name in taken if name not in idle]
        if transaction.place == "one statement":
            self.faults += transaction.faults
        return cursor


recorder = Recorder()


def _place() -> str:
    """Return which function of ours opens the transaction; empty if none does."""
    frame = sys._getframe(2)
    code = frame.f_code
    if code.co_filename.endswith("contextlib.py") and "func" in frame.f_locals:
        # The transaction is a decorator.
        code = frame.f_locals["func"].__code__
    file = _file(code.co_filename)
    return f"{file}:{code.co_name}" if file else ""


@cache
def _file(name: str) -> str:
    """Return the path of a file of ours within the project; empty for files of tests and of libraries."""
    path = Path(name)
    is_ours = path.is_relative_to(PROJECT) and not path.is_relative_to(TESTS) and ".venv" not in path.parts
    return str(path.relative_to(PROJECT)) if is_ours else ""


def install() -> None:
    """Record from now on, to the end of this process."""
    enter, leave, execute = Atomic.__enter__, Atomic.__exit__, psycopg.Cursor.execute

    @wraps(enter)
    def entered(self: Any) -> None:
        place = _place()
        enter(self)
        self.is_recorded = bool(place) and recorder.begin(place)

    @wraps(leave)
    def left(self: Any, *error: Any) -> None:
        if self.is_recorded:
            self.is_recorded = False
            recorder.end()
        leave(self, *error)

    @wraps(execute)
    def executed(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        def changed(table: str) -> int:
            row = execute(psycopg.Cursor(self.connection), _CHANGED_SQL, [table]).fetchone()
            return int(row[0]) if row else 0

        is_alone = self.connection.info.transaction_status == TransactionStatus.IDLE
        return recorder.run(
            lambda: execute(self, query, params, **options), query, params, changed=changed, is_alone=is_alone
        )

    for owner, name, function in (
        (Atomic, "__enter__", entered),
        (Atomic, "__exit__", left),
        (psycopg.Cursor, "execute", executed),
    ):
        setattr(owner, name, function)
