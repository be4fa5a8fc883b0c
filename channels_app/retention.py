"""What need not be kept for ever."""

from datetime import datetime, timedelta

from django.conf import settings

from channels_app.models import ChannelEvent

BATCH = 5000


def purge(*, now: datetime) -> int:
    """Delete events applied more than EVENT_RETENTION_DAYS ago, in short batches; say how many."""
    old = ChannelEvent.objects.filter(
        applied_at__isnull=False, received_at__lt=now - timedelta(days=settings.EVENT_RETENTION_DAYS)
    ).order_by("received_at")
    deleted = 0
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        deleted += ChannelEvent.objects.filter(pk__in=batch).delete()[0]
    return deleted
