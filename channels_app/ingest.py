"""
Takes in a webhook whose signature was checked: into Postgres, else into the spool.

An item that cannot be read or stored costs no other: its body is kept as a dead letter. So whatever raises
here, a webhook is refused only where neither Postgres nor the spool can keep it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import connection, transaction
from django.utils import timezone

from channels_app import dead_letters, inbox, salvage, spool
from channels_app.batches import Batches
from channels_app.inbox import Stored
from channels_app.meta import body, instagram, whatsapp
from channels_app.meta.types import Inbound, Parsed, Problem
from channels_app.models import DeadLetter, InboundMessage, PhoneNumber
from channels_app.webchat import messages
from config.lib import errors, logs, metrics, redis, sql
from config.lib.breaker import Breaker

log = structlog.get_logger(__name__)

Parser = Callable[..., Parsed]
_PARSERS: dict[str, Parser] = {"whatsapp_business_account": whatsapp.parse, "instagram": instagram.parse}
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
    return keep(arrived(raw, now=now, source=source))


def keep(webhook: Arrived) -> Stored | None:
    """
    Store a webhook, or append it to the spool; return None when it waits there.

    :raises NowhereToKeepError: if neither store can keep it
    """
    try:
        return write([webhook])
    except UnwritableError:
        spool_one(webhook)
        return None


def arrived(raw: bytes, *, now: datetime, source: str = spool.META) -> Arrived:
    """Read a body that was just received, or that waited in the spool."""
    parsed = parse(raw, now=now, source=source)
    parsed.correlation_id = logs.correlation_id()
    return Arrived(raw, now, parsed, source)


def write(webhooks: list[Arrived]) -> Stored:
    """
    Store webhooks; twice is the same as once.

    :raises UnwritableError: if they have to go to the spool
    """
    if spool.is_in_use() or not postgres.allows():
        raise UnwritableError
    try:
        stored = store(webhooks)
    except Exception as error:
        if sql.is_unavailable(error):
            postgres.failed()
            log.warning("intake.postgres_away", reason=errors.summary(error))
        else:
            log.error("intake.not_stored", error=errors.summary(error))
        sql.discard_if_read_only(error)
        connection.close()
        raise UnwritableError from error
    postgres.succeeded()
    for webhook in webhooks:
        metrics.WEBHOOKS.labels(webhook.source, "stored").inc()
    return stored


def _write_batch(webhooks: list[Arrived]) -> None:
    try:
        write(webhooks)
    finally:
        connection.close()


_messages = Batches(_write_batch, linger=LINGER, most=100)
_events = Batches(_write_batch, linger=EVENTS_LINGER, most=100)


def batches(webhook: Arrived) -> Batches[Arrived]:
    """Return the batches that a webhook is stored in."""
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
        metrics.WEBHOOKS.labels(webhook.source, "refused").inc()
        raise NowhereToKeepError(type(error).__name__) from error
    metrics.WEBHOOKS.labels(webhook.source, "spooled").inc()


def store(webhooks: list[Arrived]) -> Stored:
    """
    Store webhooks together; whatever cannot be read or stored of them becomes dead letters.

    :raises Exception: for which `sql.is_unavailable` holds if Postgres is away; any other only if a dead
        letter could not be stored either
    """
    try:
        return _store_together(webhooks)
    except Exception as error:
        if sql.is_unavailable(error):
            raise
        log.error("intake.stored_apart", webhooks=len(webhooks), error=errors.summary(error))
    stored = salvage.store([webhook.parsed for webhook in webhooks])
    for webhook in webhooks:
        _keep_problems(webhook)
    return stored


@transaction.atomic
def _store_together(webhooks: list[Arrived]) -> Stored:
    stored = inbox.store(*(webhook.parsed for webhook in webhooks))
    for webhook in webhooks:
        _keep_problems(webhook)
    return stored


def _keep_problems(webhook: Arrived) -> None:
    if webhook.parsed.problems:
        dead_letters.keep(
            webhook.raw,
            source=webhook.source,
            received_at=webhook.received_at,
            problems=webhook.parsed.problems,
            correlation_id=webhook.parsed.correlation_id or logs.correlation_id(),
        )


def parse(raw: bytes, *, now: datetime, source: str = spool.META) -> Parsed:
    """Read a body in the format of its source; what cannot be read is a problem, never an error."""
    try:
        # Nobody can have Meta's signature stand for a visitor: our own form is read only where we wrote it.
        if source == spool.WEBCHAT:
            return messages.parse(json.loads(raw), now=now)
        if source == spool.META:
            return _parse_meta(raw, now=now)
    except Exception as error:  # noqa: BLE001  (whatever it is, the body is kept)
        return Parsed(problems=[Problem(f"not read: {errors.summary(error)}", item=None)])
    return Parsed(problems=[Problem("not read: unknown source", item=None)])


def _parse_meta(raw: bytes, *, now: datetime) -> Parsed:
    try:
        payload = body.read(raw)
    except body.UnreadableError as error:
        return Parsed(problems=[Problem(reason=f"unreadable: {error}", item=None)])
    parser = _PARSERS.get(str(payload.get("object")))
    if parser is None:
        log.info("intake.object_ignored")
        return Parsed()
    return parser(payload, now=now)


def read_again(row: InboundMessage) -> Inbound | None:
    """Read a message that was ignored once more; None if there still is a reason to ignore it."""
    if "visitor_id" in row.payload:
        return messages.parse(row.payload, now=row.received_at).inbound[0]
    is_instagram = "messaging" in row.payload or "recipient" in row.payload
    if is_instagram:
        entry = {"id": row.phone_number_id, "messaging": [row.payload]}
        parsed = instagram.parse({"entry": [entry]}, now=row.received_at)
    else:
        # With our own number: its messages are no customer's.
        number = PhoneNumber.objects.filter(pk=row.phone_number_id).values_list("external_number", flat=True)
        own = {"display_phone_number": number.first() or ""}
        value = {"metadata": {"phone_number_id": row.phone_number_id, **own}, "messages": [row.payload]}
        entry = {"changes": [{"field": "messages", "value": value}]}
        parsed = whatsapp.parse({"entry": [entry]}, now=row.received_at)
    readable = [message for message in parsed.inbound if not message.ignored]
    return readable[0] if readable else None


def replay_dead_letter(letter: DeadLetter) -> bool:
    """
    Read and store a dead letter again, without effect on messages that are stored; False if problems remain.

    :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
    """
    parsed = _parse_letter(letter)
    salvage.store_new(parsed)
    if parsed.problems:
        letter.reason = dead_letters.reason(parsed.problems)
        letter.save(update_fields=["reason"])
        return False
    letter.replayed_at = timezone.now()
    letter.save(update_fields=["replayed_at"])
    return True


def _parse_letter(letter: DeadLetter) -> Parsed:
    raw, source, now = bytes(letter.raw), letter.source, letter.received_at
    if source == spool.ENTRY:
        try:
            waiting = spool.decode(raw)
        except spool.UndecodableError as error:
            return Parsed(problems=[Problem(f"not decoded: {error}", item=None)])
        raw, source, now = waiting.raw, waiting.source, waiting.received_at
    parsed = parse(raw, now=now, source=source)
    parsed.correlation_id = letter.correlation_id
    return parsed
