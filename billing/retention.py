"""What a business was told need not be kept for ever."""

from datetime import datetime, timedelta

from django.conf import settings

from billing.models import Email, Event, WebhookDelivery

BATCH = 5000


def purge(*, now: datetime) -> int:
    """Delete what ended more than EVENT_RETENTION_DAYS ago, in short batches; say how many rows."""
    old = now - timedelta(days=settings.EVENT_RETENTION_DAYS)
    deliveries = WebhookDelivery.objects.filter(created_at__lt=old).exclude(state="pending")
    events = Event.objects.filter(created_at__lt=old, deliveries=None)
    emails = Email.objects.filter(created_at__lt=old).exclude(state__in=["pending", "sending"])
    deleted = 0
    for rows in (deliveries, events, emails):
        # Ids follow the clock, so what is old comes first.
        oldest = rows.order_by("pk").values_list("pk", flat=True)
        while batch := list(oldest[:BATCH]):
            deleted += rows.model.objects.filter(pk__in=batch).delete()[0]
    return deleted
