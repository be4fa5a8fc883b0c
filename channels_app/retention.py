"""What need not be kept for ever."""

from datetime import datetime, timedelta

from django.conf import settings

from channels_app.models import ChannelEvent

BATCH = 5000


def purge(*, now: datetime) -> int:
    """
    Delete events applied more than EVENT_RETENTION_DAYS ago, in short batches; return how many.

    They are read in the order in which they came, up to the first batch that ends with a younger one.
    """
    before = now - timedelta(days=settings.EVENT_RETENTION_DAYS)
    read, deleted = 0, 0
    while batch := list(
        ChannelEvent.objects.filter(pk__gt=read).order_by("pk").only("received_at", "applied_at")[:BATCH]
    ):
        old = [event.pk for event in batch if event.received_at < before and event.applied_at]
        deleted += ChannelEvent.objects.filter(pk__in=old).delete()[0]
        if batch[-1].received_at >= before:
            break
        read = batch[-1].pk
    return deleted
