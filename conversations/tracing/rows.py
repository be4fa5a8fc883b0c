"""Reads all rows of a story; a few queries, however many messages the story has."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from config.lib import sql
from conversations.refunds import charge_reference
from conversations.tracing import queries
from conversations.tracing.lookup import Matches
from conversations.tracing.steps import made_at

Row = dict[str, Any]
# Events are stored with what they tell of, or right after it.
_MARGIN = timedelta(seconds=5)
_STATUSES = ("sent", "delivered", "read", "played", "failed")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a story, by table; `statuses` are channel events, `posts` webhooks to the business."""

    inbound: list[Row]
    turns: list[Row]
    messages: list[Row]
    deliveries: list[Row]
    credits: list[Row]
    statuses: list[Row]
    events: list[Row]
    posts: list[Row]
    customers: list[Row]
    dead_letters: list[Row]
    models: dict[tuple[str, int], str]


def read(matches: Matches) -> Rows:
    """Read the rows that belong to what was found."""
    inbound, turns = _inbound_and_turns(matches)
    facts = {
        "messages": sorted(matches.messages),
        "turns": _all(turns, "turn_id"),
        "inbound": _all(inbound, "id"),
    }
    messages = sql.rows(queries.MESSAGES_SQL, facts)
    deliveries = sql.rows(queries.DELIVERIES_SQL, {"messages": _all(messages, "message_id")})
    statuses = _statuses(deliveries)
    events = _events(inbound, turns, messages, deliveries)
    return Rows(
        inbound=inbound,
        turns=turns,
        messages=messages,
        deliveries=deliveries,
        credits=_credits(turns, deliveries),
        statuses=statuses,
        events=events,
        posts=_posts(events),
        customers=sql.rows(queries.CUSTOMERS_SQL, {"customers": _all([*inbound, *turns], "customer_id")}),
        dead_letters=matches.dead_letters,
        models=_models(turns),
    )


def _inbound_and_turns(matches: Matches) -> tuple[list[Row], list[Row]]:
    def inbound_of(turns: Iterable[str]) -> list[Row]:
        return sql.rows(queries.INBOUND_SQL, {"inbound": sorted(matches.inbound), "turns": sorted(turns)})

    inbound = inbound_of(matches.turns)
    turn_ids = matches.turns | set(_all(inbound, "turn_id"))
    if inbound:
        earlier = sql.rows(
            queries.EARLIER_TURNS_SQL,
            {
                "customers": _all(inbound, "customer_id"),
                "since": min(row["received_at"] for row in inbound),
                "correlations": [row["correlation_id"] for row in inbound if row["correlation_id"]],
            },
        )
        turn_ids |= set(_all(earlier, "turn_id"))
    turns = sql.rows(queries.TURNS_SQL, {"turns": sorted(turn_ids)})
    for turn in turns:
        turn["snapshot"] = sql.from_jsonb(turn["snapshot"])
    return inbound_of(turn_ids), turns


def _all(rows: list[Row], column: str) -> list[Any]:
    return sorted({row[column] for row in rows if row[column] is not None})


def _credits(turns: list[Row], deliveries: list[Row]) -> list[Row]:
    attempts = range(1, max((delivery["attempt"] for delivery in deliveries), default=1) + 1)
    references = [charge_reference(turn["turn_id"], attempt) for turn in turns for attempt in attempts]
    return sql.rows(queries.CREDITS_SQL, {"references": references})


def _statuses(deliveries: list[Row]) -> list[Row]:
    """Read the statuses of deliveries by the keys that channels' parsers give them."""
    ids = _all(deliveries, "provider_message_id")
    keys = [*ids, *(f"{provider_id}:{status}" for provider_id in ids for status in _STATUSES)]
    hashed = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    return sql.rows(queries.STATUSES_SQL, {"numbers": _all(deliveries, "phone_number_id"), "keys": hashed})


def _events(inbound: list[Row], turns: list[Row], messages: list[Row], deliveries: list[Row]) -> list[Row]:
    """Read the business's events of the messages, around the moments at which something happened to them."""
    if not messages:
        return []
    facts = {
        "user": messages[0]["user_id"],
        "conversations": _all(messages, "conversation_id"),
        "messages": _all(messages, "message_id"),
        "turns": _all(turns, "turn_id"),
    }
    events: dict[str, Row] = {}
    for since, until in _spans(_moments(inbound, turns, messages, deliveries)):
        for row in sql.rows(queries.EVENTS_SQL, {**facts, "since": since, "until": until}):
            events[row["event_id"]] = row
    return list(events.values())


def _moments(*tables: list[Row]) -> list[datetime]:
    columns = ("received_at", "created_at", "answered_at", "closed_at", "timestamp", "failed_at",
               "unknown_reported_at", "sending_at", "updated_at")  # fmt: skip
    stored = [row[name] for rows in tables for row in rows for name in columns if row.get(name)]
    # A message goes into the conversation when its id is made.
    made = [made_at(row["message_id"]) for rows in tables for row in rows if "message_id" in row]
    return [*stored, *filter(None, made)]


def _spans(moments: list[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the spans of time that hold all moments, with a margin; those that overlap are one."""
    spans: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        since, until = moment - _MARGIN, moment + _MARGIN
        if spans and since <= spans[-1][1]:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((since, until))
    return spans


def _posts(events: list[Row]) -> list[Row]:
    posts = sql.rows(queries.POSTS_SQL, {"events": _all(events, "event_id")})
    for post in posts:
        post["log"] = sql.from_jsonb(post["log"])
    return posts


def _models(turns: list[Row]) -> dict[tuple[str, int], str]:
    used = {
        (turn["snapshot"].get("prompt_id"), turn["snapshot"].get("prompt_version"))
        for turn in turns
        if turn["snapshot"].get("prompt_version") is not None
    }
    rows = sql.rows(
        queries.MODELS_SQL,
        {"prompts": [prompt for prompt, _ in used], "versions": [version for _, version in used]},
    )
    return {(row["prompt_id"], row["number"]): row["model"] for row in rows}
