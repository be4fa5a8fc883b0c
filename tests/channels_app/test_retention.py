"""Events that were applied long ago need not be kept."""

from datetime import timedelta

from django.utils import timezone

from channels_app import retention
from channels_app.models import ChannelEvent


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
