"""What a business was told need not be kept for ever."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from billing.models import Email, Event, WebhookDelivery
from config.lib import ids

BATCH = 5000


def purge(*, now: datetime) -> int:
    """
    Delete what ended more than EVENT_RETENTION_DAYS ago, in short batches; say how many rows.

    What waits is kept, and its event; but not for an endpoint that was deleted.
    """
    old = now - timedelta(days=settings.EVENT_RETENTION_DAYS)
    ended = ~Q(state="pending") | Q(endpoint__deleted_at__lt=old)
    # Ids follow the clock: those of that time are found by the primary key, however many are newer.
    deliveries = WebhookDelivery.objects.filter(ended, pk__lt=ids.first("whd", old))
    events = Event.objects.filter(pk__lt=ids.first("evt", old), deliveries=None)
    emails = Email.objects.filter(pk__lt=ids.first("eml", old)).exclude(state__in=["pending", "sending"])
    deleted = 0
    for rows in (deliveries, events, emails):
        oldest = rows.order_by("pk").values_list("pk", flat=True)
        while batch := list(oldest[:BATCH]):
            deleted += rows.model.objects.filter(pk__in=batch).delete()[0]
    return deleted
