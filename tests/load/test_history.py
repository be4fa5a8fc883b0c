"""The rows that are filled in before a run keep every rule of the database, and leave nothing to do."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from psycopg.rows import dict_row

from billing import reconciliation
from config.lib import ids
from tests.load import bookkeeping, businesses, history, tree

_MESSAGES = 600
_OWNERS = [0, 0, 1, 2]
_FOREIGN_KEYS_SQL = """
    SELECT conname, conrelid::regclass::text AS child, confrelid::regclass::text AS parent,
           child_column.attname AS child_column, parent_column.attname AS parent_column
      FROM pg_constraint
      JOIN pg_attribute AS child_column
           ON child_column.attrelid = conrelid AND child_column.attnum = conkey[1]
      JOIN pg_attribute AS parent_column
           ON parent_column.attrelid = confrelid AND parent_column.attnum = confkey[1]
     WHERE contype = 'f' AND conrelid = ANY (%s::regclass[])
"""
_INDEXES_SQL = "SELECT indexdef FROM pg_indexes WHERE tablename = ANY (%s)"
_CONSTRAINTS_SQL = """
    SELECT conname, contype, pg_get_constraintdef(oid) AS definition
      FROM pg_constraint
     WHERE conrelid = ANY (%s::regclass[])
     ORDER BY conrelid::regclass::text, conname
"""
_CAST = re.compile(r"::character varying|::text(\[\])?|[()]")


@pytest.fixture
def database(db, settings):
    """The connection to the test database, with businesses and numbers, before anything is filled in."""
    [key, *_] = settings.FIELD_ENCRYPTION_KEYS
    with connection.cursor() as cursor:
        # Begins the test's transaction; without one, the filling would commit.
        cursor.execute("SELECT 1")
    businesses.insert(connection.connection, key, _OWNERS)
    connection.check_constraints()
    return connection.connection


@pytest.fixture
def filled(database):
    history.fill(database, _MESSAGES)
    return rows_of(database)


def rows_of(database):
    def rows(statement, parameters=None):
        return database.cursor(row_factory=dict_row).execute(statement, parameters).fetchall()

    return rows


def test_history_has_rows_in_every_table_that_messages_leave_rows_in(filled):
    counts = {table: filled(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in history.TABLES}

    assert counts == {
        "customers": 30,
        "conversations": 30,
        "inbound_messages": 300,
        "turns": 300,
        "messages": 600,
        "deliveries": 300,
        "channel_events": 900,
        # 300 charges; for each of three businesses its first grant, and one for these charges
        "credit_entries": 306,
    }


def test_history_keeps_every_foreign_key(filled):
    keys = filled(_FOREIGN_KEYS_SQL, [list(history.TABLES)])

    assert len(keys) >= 9
    for key in keys:
        orphans = filled(
            f"SELECT count(*) AS n FROM {key['child']} AS child LEFT JOIN {key['parent']} AS parent"
            f"    ON parent.{key['parent_column']} = child.{key['child_column']}"
            f" WHERE child.{key['child_column']} IS NOT NULL AND parent.{key['parent_column']} IS NULL"
        )
        assert orphans == [{"n": 0}], key["conname"]


def test_history_leaves_the_ledger_in_order(filled, database):
    assert reconciliation.faults() == []
    assert bookkeeping.check(database)["is_right"]


def test_balances_are_the_same_before_and_after_the_history(database):
    balances = "SELECT user_id, remaining_credits FROM credits ORDER BY user_id"
    before = rows_of(database)(balances)

    history.fill(database, _MESSAGES)

    assert rows_of(database)(balances) == before


def test_history_leaves_nothing_to_do(filled):
    from_the_beginning = {"inbound": 0, "delivery": ""}

    assert filled(tree.LEFT_SQL, from_the_beginning) == [{"n": 0}]
    assert filled("SELECT 1 FROM customers WHERE due_at IS NOT NULL") == []
    assert filled("SELECT 1 FROM conversations WHERE extract_at IS NOT NULL") == []
    assert filled("SELECT 1 FROM messages WHERE NOT openai_knows OR NOT reaction_known") == []


def test_history_is_too_young_to_be_purged_and_over_a_day_old(filled, settings):
    [times] = filled("SELECT min(received_at) AS oldest, max(applied_at) AS youngest FROM channel_events")

    assert times["oldest"] > timezone.now() - timedelta(days=settings.EVENT_RETENTION_DAYS - 1)
    assert times["youngest"] < timezone.now() - timedelta(hours=23)


def test_indexes_and_constraints_are_the_same_before_and_after_the_history(database):
    before = indexes_of(database), constraints_of(database)

    history.fill(database, _MESSAGES)

    assert (indexes_of(database), constraints_of(database)) == before


def constraints_of(database):
    rows = rows_of(database)(_CONSTRAINTS_SQL, [list(history.TABLES)])
    assert len(rows) > 50
    return rows


def indexes_of(database):
    """Return the definitions of indexes without casts, which Postgres moves when it reads its own output."""
    rows = rows_of(database)(_INDEXES_SQL, [list(history.TABLES)])
    return sorted(_CAST.sub("", row["indexdef"]) for row in rows)


def test_rows_that_come_after_the_history_sort_behind_it(filled):
    [last] = filled("SELECT max(id) AS id, nextval(pg_get_serial_sequence('inbound_messages', 'id')) AS next"
                    "  FROM inbound_messages")  # fmt: skip
    assert last["next"] > last["id"]
    for table, key, prefix in (
        ("deliveries", "delivery_id", "dlv"), ("messages", "message_id", "msg"), ("turns", "turn_id", "trn"),
        ("conversations", "conversation_id", "cnv"), ("customers", "customer_id", "cus"),
    ):  # fmt: skip
        [newest] = filled(f"SELECT max({key}) AS id, max(length({key})) AS length FROM {table}")
        made = ids.new(prefix)
        assert newest["id"] < made
        assert newest["length"] == len(made)


def test_conversations_of_the_history_count_their_messages_and_differ_in_length(filled):
    lengths = filled("""
        SELECT last_sequence_no, count(*) AS messages, max(sequence_no) AS highest
          FROM conversations JOIN messages USING (conversation_id)
         GROUP BY conversation_id""")

    assert len(lengths) == 30
    assert all(row["last_sequence_no"] == row["messages"] == row["highest"] > 0 for row in lengths)
    assert max(row["messages"] for row in lengths) > 3 * min(row["messages"] for row in lengths)
