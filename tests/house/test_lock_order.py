"""tests/lock_order.py: transactions that take locks in another order than all others are found."""

from typing import Any

import pytest
from django.db import transaction

from config.lib import locks, sql
from config.lib.locks import Lock
from tests.factories import MessageFactory
from tests.lock_order import PROJECT, recorder
from tests.statement_locks import locks_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("statement", "locks"),
    [
        ("SELECT * FROM customers WHERE customer_id = %s", []),
        ("SELECT * FROM customers AS c WHERE wa_id = %s ORDER BY 1 FOR NO KEY UPDATE", ["customers"]),
        ('SELECT "turns"."turn_id" FROM "turns" WHERE true FOR UPDATE', ["turns"]),
        (
            "SELECT 1 FROM deliveries AS d JOIN messages AS m USING (message_id) FOR UPDATE OF m, d",
            ["messages", "deliveries"],
        ),
        ("INSERT INTO credits (user_id) VALUES (%s) ON CONFLICT DO NOTHING", []),
        (
            """INSERT INTO credits (user_id) VALUES (%s)
                   ON CONFLICT (user_id) DO UPDATE SET told_percent = 1""",
            ["credits"],
        ),
        (
            """UPDATE messages SET text = 'FOR UPDATE'
                WHERE turn_id IN (SELECT turn_id FROM turns FOR UPDATE)""",
            ["turns", "messages"],
        ),
        (
            """WITH turn AS (UPDATE turns SET drafts = 1 RETURNING conversation_id),
                    locked AS (SELECT message_id FROM messages FOR UPDATE),
                    known AS (UPDATE messages SET text = '' FROM locked)
               UPDATE conversations SET openai_owed = '[]' FROM turn""",
            ["turns", "conversations", "messages", "messages"],
        ),
        (
            """WITH inbox AS (
                   -- UPDATE credits SET
                   UPDATE inbound_messages SET status = 'done' WHERE id = %s RETURNING customer_id)
               DELETE FROM customers WHERE customer_id IN (SELECT customer_id FROM inbox)""",
            ["inbound_messages", "customers"],
        ),
    ],
)
def test_reads_from_a_statement_what_it_locks_and_in_which_order(statement, locks):
    found = locks_of(statement)

    assert [taken.name for taken in found if not taken.is_new] == locks


def recorded(*statements: str, advisory: tuple[Lock, ...] = ()) -> list[str]:
    """Return the faults of a transaction that locks rows by statements, and then takes advisory locks."""
    with transaction.atomic(), recorder.transaction("here"):
        for statement in statements:
            sql.execute(statement)
        for lock in advisory:
            locks.take(lock, "1")
    found = list(recorder.faults)
    recorder.faults.clear()
    return found


def test_finds_a_transaction_that_takes_another_order():
    MessageFactory()
    customer = "SELECT 1 FROM customers FOR UPDATE"
    message = "UPDATE messages SET text = ''"

    assert recorded(customer, message, customer) == []
    assert recorded(message, customer) == [f"here locks customers after messages: {customer}"]
    assert len(recorded(customer, advisory=(Lock.CLAIM,))) == 1


def test_takes_no_offence_at_locks_that_are_not_taken_or_not_waited_for():
    MessageFactory()
    message = "SELECT 1 FROM messages FOR UPDATE"

    assert recorded(message, "UPDATE customers SET name = '' WHERE false") == []
    assert recorded(message, "SELECT 1 FROM customers FOR UPDATE SKIP LOCKED") == []


def test_sees_whether_a_part_of_a_statement_changes_rows():
    MessageFactory()
    part = "WITH c AS (UPDATE customers SET name = 'x' WHERE {}) UPDATE messages SET text = ''"

    assert recorded("SELECT 1 FROM turns FOR UPDATE", part.format("false")) == []
    assert len(recorded("SELECT 1 FROM messages FOR UPDATE", part.format("true"))) == 1


NEW_MODULE = """
from django.db import transaction
from config.lib import sql

def inside():
    with transaction.atomic():
        lock()

@transaction.atomic
def decorated():
    lock()

def lock():
    with transaction.atomic():
        sql.execute("SELECT 1 FROM messages FOR UPDATE")
    sql.execute("SELECT 1 FROM customers FOR UPDATE")
"""


@pytest.mark.parametrize("function", ["inside", "decorated"])
def test_new_transaction_of_the_service_is_recorded_also_within_one_of_a_test(function):
    MessageFactory()
    module: dict[str, Any] = {}
    exec(compile(NEW_MODULE, str(PROJECT / "conversations" / "new.py"), "exec"), module)

    with transaction.atomic():
        sql.execute("SELECT 1 FROM deliveries FOR UPDATE")
        module[function]()
    found = list(recorder.faults)
    recorder.faults.clear()

    [fault] = found
    assert fault.startswith(f"conversations/new.py:{function} locks customers after messages: ")
