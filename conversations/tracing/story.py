"""The story of a message as steps in the order of time, each a sentence and its facts."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from config.lib import sql
from conversations.tracing import lookup, money, rows, sending, taking
from conversations.tracing.rows import Row, Rows
from conversations.tracing.steps import Step


@dataclass(frozen=True, slots=True)
class Story:
    """What became of a message; `customers` are rows with the customer's address and pause."""

    steps: list[Step]
    correlation_ids: list[str]
    phone_number_ids: list[str]
    conversation_ids: list[str]
    customers: list[Row] = field(default_factory=list)


@transaction.atomic
def tell(identifier: str) -> Story:
    """
    Return the story of the message, turn or webhook with this identifier, as it was at one moment.

    :raises UnknownIdError: (conversations.tracing.lookup) if nothing has it
    """
    sql.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return of(rows.read(lookup.find(identifier)))


def of(rows: Rows) -> Story:
    """Return the story that the rows have."""
    steps = [*taking.steps(rows), *money.steps(rows), *sending.steps(rows)]
    everything: list[dict[str, Any]] = [*rows.inbound, *rows.turns, *rows.messages, *rows.dead_letters]

    def column(name: str) -> list[str]:
        return list(dict.fromkeys(row[name] for row in everything if row.get(name)))

    turns = [turn["snapshot"].get("correlation_id", "") for turn in rows.turns]
    return Story(
        steps=sorted(steps, key=_order),
        correlation_ids=list(dict.fromkeys([*column("correlation_id"), *filter(None, turns)])),
        phone_number_ids=column("phone_number_id"),
        conversation_ids=column("conversation_id"),
        customers=rows.customers,
    )


def _order(step: Step) -> tuple[datetime, int]:
    return step.at, step.rank
