"""
Notifies event streams by Redis that a visitor's chat has changed; they read the changes from Postgres.

A notification may be lost: streams poll as well, more often while Redis is away.
"""

import structlog
from django.db import connection, transaction

from config.lib import redis

log = structlog.get_logger(__name__)

CHANGED = "changed"
TYPING = "typing"


def channel(customer_id: str) -> str:
    """Return the Redis channel of a customer's notifications; the message is their kind."""
    return f"webchat:{customer_id}"


def newcomer_channel(*, phone_number_id: str, visitor_id: str) -> str:
    """Return the channel of a visitor who has no row yet: they have not written."""
    return f"webchat:{phone_number_id}:{visitor_id}"


def publish(customer_id: str, kind: str = CHANGED) -> None:
    """Notify the streams of a customer once the transaction commits; never raises."""
    _publish_on_commit([channel(customer_id)], kind)


def publish_for_visitor(*, phone_number_id: str, visitor_id: str, customer_id: str | None) -> None:
    """Notify the streams of a visitor who wrote, also those opened before the visitor had a row."""
    channels = [newcomer_channel(phone_number_id=phone_number_id, visitor_id=visitor_id)]
    _publish_on_commit(channels + ([channel(customer_id)] if customer_id else []), CHANGED)


def _publish_on_commit(channels: list[str], kind: str) -> None:
    # Threads that show typing have no connection, and are not to get one for this.
    if connection.in_atomic_block:
        transaction.on_commit(lambda: _publish(channels, kind), robust=True)
    else:
        _publish(channels, kind)


def _publish(channels: list[str], kind: str) -> None:
    for name in channels:
        try:
            redis.call(redis.client().publish, name, kind)
        except redis.RedisUnavailableError as error:
            log.debug("pubsub.not_published", reason=str(error))
            return
