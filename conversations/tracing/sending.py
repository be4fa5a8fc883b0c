"""Steps of sending: parts posted, statuses, staff replies, events and webhooks to the business."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from config.lib import masking
from conversations.tracing.rows import Row, Rows
from conversations.tracing.steps import Rank, Step

_STATUSES = ("sent", "delivered", "read", "played", "failed")
_LATER = {
    "failed": "failed",
    "unknown": "has an unknown outcome",
    "cancelled": "was cancelled",
}


def steps(rows: Rows) -> Iterator[Step]:
    """Return what was sent, what the channel reported of it, and what the business was notified of."""
    for message in rows.messages:
        facts: dict[str, Any] = {"message_id": message["message_id"]}
        if message["author"] == "staff":
            replied = f"A member of staff replied: {message['message_id']}."
            yield Step(message["timestamp"], Rank.REPLIED, "staff.replied", replied, facts, message["text"])
        if at := message["unknown_reported_at"]:
            reported = f"{message['message_id']} reported to the business as unknown."
            yield Step(at, Rank.STATE, "message.unknown", reported, facts)
    for delivery in rows.deliveries:
        yield from _delivery(delivery)
    parts = {delivery["provider_message_id"]: delivery for delivery in rows.deliveries}
    for status in sorted(rows.statuses, key=_occurred):
        if (part := parts.get(status["provider_message_id"])) is not None:
            yield _status(status, part)
    for event in rows.events:
        yield _event(event)
    for post in rows.posts:
        yield from _posts(post)


def _occurred(status: Row) -> tuple[datetime, int]:
    """Sort statuses by the channel's clock, and those of one second as they follow each other."""
    return status["occurred_at"], _STATUSES.index(status["status"]) if status["status"] in _STATUSES else 0


def _delivery(delivery: Row) -> Iterator[Step]:
    facts = {name: delivery[name] for name in ("delivery_id", "message_id", "attempt", "part", "state")}
    retried = f", attempt {delivery['attempt']}" if delivery["attempt"] > 1 else ""
    what = f"Part {delivery['part']}{retried} ({delivery['delivery_id']})"
    error = masking.masked(delivery["error"])
    if delivery["sending_at"]:
        accepted = masking.tail(delivery["provider_message_id"] or "")
        posted = f"{what} posted{f'; the channel accepted it as {accepted}' if accepted else ''}."
        yield Step(delivery["sending_at"], Rank.POSTED, "delivery.posted", posted, facts)
    elif delivery["state"] == "pending":
        yield Step(delivery["created_at"], Rank.STATE, "delivery.waits", f"{what} waits to be sent.", facts)
    if delivery["state"] in _LATER:
        because = f": {error}" if error else ""
        sentence = f"{what} {_LATER[delivery['state']]}{because}."
        event = f"delivery.{delivery['state']}"
        yield Step(delivery["updated_at"], Rank.STATUS, event, sentence, {**facts, "error": error})


def _status(status: Row, delivery: Row) -> Step:
    name = "read" if status["kind"] == "read" else status["status"]
    facts = {"delivery_id": delivery["delivery_id"], "webhook_correlation_id": status["correlation_id"]}
    sentence = f"Status {name} for part {delivery['part']} ({status['correlation_id']})"
    sentence += "." if status["outcome"] == "applied" else ", not applied yet."
    return Step(status["received_at"], Rank.STATUS, "delivery.status", sentence, {**facts, "status": name})


def _event(event: Row) -> Step:
    facts = {"event_id": event["event_id"], "type": event["type"]}
    sentence = f"Event {event['type']} for the business: {event['event_id']}."
    return Step(event["created_at"], Rank.EVENT, "event.stored", sentence, facts)


def _posts(post: Row) -> Iterator[Step]:
    """Return the attempts to post an event to an endpoint, of which only the host is named."""
    where = f"{post['event_id']} to endpoint {post['endpoint_id']} ({masking.masked(post['host'] or '?')})"
    facts = {"event_id": post["event_id"], "endpoint_id": post["endpoint_id"], "state": post["state"]}
    for attempt in post["log"]:
        if (at := _moment(attempt.get("at"))) is not None:
            answered = attempt.get("status") or masking.masked(str(attempt.get("error") or "no response"))
            sentence = f"Posted {where}: {answered}."
            yield Step(at, Rank.EVENT, "event.posted", sentence, {**facts, "status": attempt.get("status")})
    if post["state"] == "pending":
        sentence = f"{where[0].upper()}{where[1:]} waits; the next attempt is due then."
        yield Step(post["due_at"], Rank.STATE, "event.waits", sentence, facts)


def _moment(value: object) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None
