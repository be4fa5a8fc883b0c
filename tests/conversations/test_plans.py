"""
Statements for many turns find their rows by index, whatever Postgres knows of the tables.

A plan is kept by a worker's connection for as long as the statistics stand. So it has to be right where they
know nothing (a new installation), and where they are of the moment at which everything waited.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from conversations.answering import append_messages, claim_queries, openai_copy, send_queries, store_queries
from tests.table_statistics import forget_statistics, let_everything_wait

STATEMENTS = {
    "resume": claim_queries.RESUME_SQL,
    "heads": claim_queries.HEADS_SQL,
    "take": append_messages._TAKE_SQL,
    "append": append_messages._APPEND_SQL,
    "copy": openai_copy._COPY_SQL,
    "store": store_queries.STORE_SQL,
    "begin": send_queries.BEGIN_SQL,
    "finish": send_queries.FINISH_SQL,
    "waiting": send_queries.WAITING_NUMBERS_SQL,
}
# They have a row for each message that was ever written.
LARGE = {
    "inbound_messages",
    "messages",
    "deliveries",
    "turns",
    "conversations",
    "customers",
    "credit_entries",
}


def plan_of(statement: str) -> dict[str, Any]:
    """Return the plan for whatever parameters, as a worker's connection makes it."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    numbered = re.sub(r"%\((\w+)\)s", number, statement)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}")
        [(found,)] = cursor.fetchall()
    plan: dict[str, Any] = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("statistics", [forget_statistics, let_everything_wait])
@pytest.mark.parametrize("name", STATEMENTS)
def test_large_tables_are_read_by_index_only(db, name, statistics):
    statistics()

    read = [node for node in nodes(plan_of(STATEMENTS[name])) if node.get("Relation Name") in LARGE]
    scans = [node for node in read if node["Node Type"] != "ModifyTable"]

    for node in scans:
        what = (node["Relation Name"], node["Node Type"], node.get("Index Name"))
        assert "Index" in node["Node Type"] or "Bitmap" in node["Node Type"], what
        assert any(condition in node for condition in ("Index Cond", "Recheck Cond")), what
