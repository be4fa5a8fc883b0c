"""
Stores the items of webhooks so that one which cannot be stored costs no other.

All are tried in one transaction. When it fails, each half is tried in one of its own, down to single items:
each item is tried at least once more after the failure, which is enough where another process was faster.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog
from django.db import transaction

from channels_app import inbox
from channels_app.inbox import Stored
from channels_app.meta.types import Parsed, Problem
from config.lib import errors, sql

log = structlog.get_logger(__name__)

# A webhook with one item only, and the webhook the item came in.
Item = tuple[Parsed, Parsed]


def store(webhooks: Sequence[Parsed]) -> Stored:
    """
    Store what can be stored of webhooks; each other item is added to its webhook's problems.

    :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
    """
    return _store([(item, webhook) for webhook in webhooks for item in _items(webhook)], inbox.store)


def store_new(webhook: Parsed) -> Stored:
    """
    Store as `store` does, but leave out messages that are in the inbox, with all they would change.

    :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
    """
    return _store([(item, webhook) for item in _items(webhook)], _store_new)


def _store_new(*items: Parsed) -> Stored:
    with transaction.atomic():
        new = [replace(item, inbound=inbox.not_stored(item.inbound)) for item in items]
        return inbox.store(*new)


def _items(webhook: Parsed) -> Iterator[Parsed]:
    for message in webhook.inbound:
        yield Parsed(inbound=[message], correlation_id=webhook.correlation_id)
    for event in webhook.events:
        yield Parsed(events=[event], correlation_id=webhook.correlation_id)


def _store(items: list[Item], write: Callable[..., Stored]) -> Stored:
    if not items:
        return Stored(messages=0, events=0)
    try:
        return write(*(item for item, _ in items))
    except Exception as error:
        if sql.is_unavailable(error):
            raise
        if len(items) == 1:
            _refuse(*items[0], reason=errors.summary(error))
            return Stored(messages=0, events=0)
    half = len(items) // 2
    first, second = _store(items[:half], write), _store(items[half:], write)
    return Stored(messages=first.messages + second.messages, events=first.events + second.events)


def _refuse(item: Parsed, webhook: Parsed, *, reason: str) -> None:
    refused = (item.inbound or item.events)[0]
    log.error("intake.item_not_stored", phone_number_id=refused.phone_number_id, error=reason)
    webhook.problems.append(
        Problem(f"not stored: {reason}", refused.payload, phone_number_id=refused.phone_number_id)
    )
