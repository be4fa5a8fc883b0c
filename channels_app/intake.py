"""
Takes in a webhook whose signature was checked: into Postgres, else into the spool.

Whatever in it cannot be read is kept as a dead letter, together with the rest and in the same transaction.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from channels_app import inbox, spool
from channels_app.batches import Batches
from channels_app.inbox import Stored
from channels_app.meta import body, instagram, whatsapp
from channels_app.meta.types import Inbound, Parsed, Problem
from channels_app.models import DeadLetter, InboundMessage
from channels_app.webchat import messages
from config.lib import failpoints, logs, redis
from config.lib.breaker import Breaker

log = structlog.get_logger(__name__)

_PARSERS = {"whatsapp_business_account": whatsapp.parse, "instagram": instagram.parse}
# While Postgres is away most webhooks go to the spool without waiting for it to answer.
postgres = Breaker("postgres", failures=2, window=5, pause=1)


# How long a webhook waits for others to be stored together with, in seconds. Nobody waits for a status, but
# Meta wants its answer within 250 ms.
LINGER = 0.005
EVENTS_LINGER = 0.05


class UnwritableError(Exception):
    """Postgres cannot be written, or what waits in the spool must come first."""


class NowhereToKeepError(Exception):
    """Neither Postgres nor the spool could keep the webhook: the sender has to."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A webhook's body as it came, its signature already checked, and what it tells."""

    raw: bytes
    received_at: datetime
    parsed: Parsed
    source: str = spool.META


def take(raw: bytes, *, now: datetime, source: str = spool.META) -> Stored | None:
    """
    Keep what a webhook tells, or a visitor of a web chat; None when it waits in the spool.

    :raises NowhereToKeepError: if neither store can keep it
    """
    webhook = arrived(raw, now=now, source=source)
    try:
        return write([webhook])
    except UnwritableError:
        spool_one(webhook)
        return None


def arrived(raw: bytes, *, now: datetime, source: str = spool.META) -> Arrived:
    """Read what was just received."""
    # Nobody can have Meta's signature stand for a visitor: our own form is read only where we wrote it.
    parsed = messages.parse(json.loads(raw), now=now) if source == spool.WEBCHAT else parse(raw, now=now)
    parsed.correlation_id = logs.correlation_id()
    return Arrived(raw, now, parsed, source)


def write(webhooks: list[Arrived]) -> Stored:
    """
    Keep what webhooks tell in one transaction; twice is the same as once.

    :raises UnwritableError: if they have to go to the spool
    """
    if spool.is_in_use() or not postgres.allows():
        raise UnwritableError
    try:
        stored = _store(webhooks)
    except (OperationalError, InterfaceError) as error:
        postgres.failed()
        connection.close()
        log.warning("intake.postgres_away", reason=type(error).__name__)
        raise UnwritableError from error
    postgres.succeeded()
    return stored


def _write_batch(webhooks: list[Arrived]) -> None:
    try:
        write(webhooks)
    finally:
        connection.close()


_messages = Batches(_write_batch, linger=LINGER, most=100)
_events = Batches(_write_batch, linger=EVENTS_LINGER, most=100)


def batches(webhook: Arrived) -> Batches[Arrived]:
    """Give the batches a webhook is stored in."""
    return _messages if webhook.parsed.inbound or webhook.parsed.problems else _events


def spool_one(webhook: Arrived) -> None:
    """
    Put a webhook at the end of the spool.

    :raises NowhereToKeepError: if it does not fit, or Redis does not take it
    """
    waiting = spool.Waiting(
        raw=webhook.raw,
        received_at=webhook.received_at,
        correlation_id=webhook.parsed.correlation_id,
        source=webhook.source,
    )
    try:
        spool.append(waiting)
    except (spool.SpoolFullError, redis.RedisUnavailableError) as error:
        raise NowhereToKeepError(type(error).__name__) from error


def store(raw: bytes, *, now: datetime, source: str = spool.META) -> Stored:
    """Parse a webhook's body and keep everything in it in one transaction; twice is the same as once."""
    return _store([arrived(raw, now=now, source=source)])


@transaction.atomic
def _store(webhooks: list[Arrived]) -> Stored:
    stored = inbox.store(*(webhook.parsed for webhook in webhooks))
    for webhook in webhooks:
        if webhook.parsed.problems:
            _keep_dead(webhook.raw, webhook.parsed)
    return stored


def parse(raw: bytes, *, now: datetime) -> Parsed:
    """Read a body as the product it comes from tells it; what cannot be read is a problem, not an error."""
    try:
        payload = body.read(raw)
    except body.UnreadableError as error:
        return Parsed(problems=[Problem(reason=f"unreadable: {error}", item=None)])
    parser = _PARSERS.get(str(payload.get("object")))
    if parser is None:
        log.info("intake.object_ignored")
        return Parsed()
    return parser(payload, now=now)


def empty_spool() -> int:
    """Store what waits in the spool, oldest first, and say how many webhooks there were."""
    stored = 0
    while (first := spool.first()) is not None:
        entry, waiting = first
        with structlog.contextvars.bound_contextvars(correlation_id=waiting.correlation_id):
            store(waiting.raw, now=waiting.received_at, source=waiting.source)
        failpoints.reach("P19")
        spool.remove(entry)
        stored += 1
    if stored:
        log.warning("intake.spool_emptied", webhooks=stored)
    return stored


def _keep_dead(raw: bytes, parsed: Parsed) -> None:
    """Keep the whole body, once: to replay it does nothing to what was stored already."""
    problems = parsed.problems
    reason = "; ".join(problem.reason for problem in problems)[:255]
    log.warning("intake.dead_letter", reason=reason, size=len(raw))
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                phone_number_id=problems[0].phone_number_id,
                reason=reason,
                raw=raw,
                digest=hashlib.sha256(raw).hexdigest(),
                correlation_id=parsed.correlation_id or logs.correlation_id(),
            )
        ],
        ignore_conflicts=True,
    )


def read_again(row: InboundMessage) -> Inbound | None:
    """Read a message that was ignored once more; None if there still is a reason to ignore it."""
    if "visitor_id" in row.payload:
        return messages.parse(row.payload, now=row.received_at).inbound[0]
    is_instagram = "messaging" in row.payload or "recipient" in row.payload
    if is_instagram:
        entry = {"id": row.phone_number_id, "messaging": [row.payload]}
        parsed = instagram.parse({"entry": [entry]}, now=row.received_at)
    else:
        value = {"metadata": {"phone_number_id": row.phone_number_id}, "messages": [row.payload]}
        entry = {"changes": [{"field": "messages", "value": value}]}
        parsed = whatsapp.parse({"entry": [entry]}, now=row.received_at)
    readable = [message for message in parsed.inbound if not message.ignored]
    return readable[0] if readable else None


def replay_dead_letter(letter: DeadLetter) -> bool:
    """Read a dead letter again; tell whether all of it can be read by now."""
    parsed = parse(bytes(letter.raw), now=letter.received_at)
    inbox.store(parsed)
    if parsed.problems:
        return False
    letter.replayed_at = timezone.now()
    letter.save(update_fields=["replayed_at"])
    return True
