"""Events are sent to an endpoint once more: one, or those of a span of time, also those it was never sent."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from billing.models import WebhookDelivery, WebhookEndpoint
from billing.webhooks import endpoints
from config.lib import sql

MOST = 10_000


class TooManyEventsError(Exception):
    """A span of time holds more events than are sent at once."""


@transaction.atomic
def again(delivery: WebhookDelivery) -> WebhookDelivery:
    """
    Redeliver an event to its endpoint now, whatever its state; one that is being posted is left alone.

    :raises EndpointDisabledError: if the endpoint is switched off
    :raises EndpointNotFoundError: if it was deleted
    """
    endpoints.require_enabled(delivery.endpoint)
    sql.execute(_AGAIN, [delivery.delivery_id])
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def span(
    endpoint: WebhookEndpoint,
    *,
    since: datetime,
    until: datetime,
    types: Sequence[str] = (),
    only_failed: bool = False,
) -> int:
    """
    Redeliver the events of a span of time to an endpoint; return their number, pending ones not counted.

    They are those it is told, narrowed to `types`, also those that came while it was switched off or before
    it was made; `only_failed` takes what was tried in vain.

    :raises TooManyEventsError: if there are more than MOST; nothing is sent
    :raises EndpointDisabledError: if the endpoint is switched off
    :raises EndpointNotFoundError: if it was deleted
    """
    row = endpoints.require_enabled(endpoint)
    parameters = {
        "endpoint": row.endpoint_id,
        "user": row.user_id,
        "wanted": row.types or endpoints.TYPES,
        "types": list(types) or endpoints.TYPES,
        "since": since,
        "until": until,
        "only_failed": only_failed,
        "most": MOST,
    }
    counted = sql.row(_COUNT, parameters)
    if counted is None or counted["count"] > MOST:
        raise TooManyEventsError(f"There are more than {MOST:,} events in this period. Choose a shorter one.")
    return sql.execute(_SPAN, parameters)


_NEW_START = """
    state = 'pending', attempts = 0, due_at = statement_timestamp(), wanted_at = statement_timestamp(),
    ended_at = NULL, lease_token = NULL, lease_expires_at = NULL
"""

_AGAIN = f"""
    UPDATE webhook_deliveries SET {_NEW_START}
     WHERE delivery_id = %s
       AND NOT (state = 'pending' AND COALESCE(lease_expires_at > statement_timestamp(), false))
"""  # noqa: S608  (our own words)

# events_by_user
_CHOSEN = """
    SELECT event.event_id, event.conversation_id
      FROM events AS event
      LEFT JOIN webhook_deliveries AS delivery
        ON delivery.event_id = event.event_id AND delivery.endpoint_id = %(endpoint)s
     WHERE event.user_id = %(user)s AND event.created_at >= %(since)s AND event.created_at < %(until)s
       AND event.type = ANY (%(wanted)s) AND event.type = ANY (%(types)s)
       AND CASE WHEN %(only_failed)s THEN delivery.state = 'failed'
                ELSE delivery.state IS DISTINCT FROM 'pending' END
"""

_COUNT = f"SELECT count(*) AS count FROM ({_CHOSEN} LIMIT %(most)s + 1) AS found"  # noqa: S608

_SPAN = f"""
    INSERT INTO webhook_deliveries AS known (delivery_id, endpoint_id, event_id, conversation_id)
    SELECT {endpoints.delivery_id(event="event_id")}, %(endpoint)s, event_id, conversation_id
      FROM ({_CHOSEN}) AS chosen
     ORDER BY event_id
        ON CONFLICT (endpoint_id, event_id) DO UPDATE SET {_NEW_START}
     WHERE known.state <> 'pending'
"""  # noqa: S608  (our own words)
