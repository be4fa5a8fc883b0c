"""What a business was told need not be kept for ever."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from billing.models import Email, Event, WebhookDelivery
from config.lib import ids

BATCH = 5000


def purge(*, now: datetime) -> int:
    """
    Delete what ended more days ago than its setting says, in short batches; return how many rows.

    What waits is kept, and its event; but not for an endpoint that was deleted.
    """
    old = now - timedelta(days=settings.EVENT_RETENTION_DAYS)
    oldest_email = ids.first("eml", now - timedelta(days=settings.EMAIL_RETENTION_DAYS))
    ended = ~Q(state="pending") | Q(endpoint__deleted_at__lt=old)
    # Ids follow the clock: those of that time are found by the primary key, however many are newer.
    deliveries = WebhookDelivery.objects.filter(ended, pk__lt=ids.first("whd", old))
    events = Event.objects.filter(pk__lt=ids.first("evt", old), deliveries=None)
    emails = Email.objects.filter(pk__lt=oldest_email).exclude(state__in=["pending", "sending"])
    deleted = 0
    kept: list[tuple[QuerySet[Any], int]] = [
        (deliveries, settings.EVENT_RETENTION_DAYS),
        (events, settings.EVENT_RETENTION_DAYS),
        (emails, settings.EMAIL_RETENTION_DAYS),
    ]
    for rows in (rows for rows, days in kept if days):
        oldest = rows.order_by("pk").values_list("pk", flat=True)
        while batch := list(oldest[:BATCH]):
            deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0]  # noqa: SLF001
    return deleted
