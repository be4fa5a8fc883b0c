"""Events that were applied long ago need not be kept."""

from datetime import timedelta

from django.utils import timezone

from channels_app import retention, tasks
from channels_app.models import ChannelEvent
from config.models import Heartbeat


class TestPurge:
    def test_deletes_only_what_is_old_and_applied(self, db, settings):
        now = timezone.now()
        days = {"old": settings.EVENT_RETENTION_DAYS + 1, "new": settings.EVENT_RETENTION_DAYS - 1}
        for age, old in days.items():
            for applied_at in (now, None):
                ChannelEvent.objects.create(
                    phone_number_id="1", kind="status", event_key=f"{age} {bool(applied_at)}", payload={},
                    occurred_at=now, received_at=now - timedelta(days=old), applied_at=applied_at,
                )  # fmt: skip

        assert retention.purge(now=now) == 1

        left = ChannelEvent.objects.order_by("event_key").values_list("event_key", flat=True)
        assert list(left) == ["new False", "new True", "old False"]


class TestPurgeTask:
    def test_forgets_processes_that_are_long_gone(self, db):
        now = timezone.now()
        Heartbeat.objects.create(instance="gone:1", role="worker", beat_at=now - timedelta(days=2))
        Heartbeat.objects.create(instance="here:2", role="worker", beat_at=now)

        tasks.purge()

        assert list(Heartbeat.objects.values_list("instance", flat=True)) == ["here:2"]
