"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from billing import idempotency
from billing import retention as billing_retention
from channels_app import number_secrets, retention
from channels_app.webchat import files
from config.lib import heartbeat
from config.lib.jobs import Job


@shared_task(name=Job.PURGE.value)
def purge() -> None:
    """Delete what need not be kept, from old events to pictures that were never sent."""
    now = timezone.now()
    retention.purge(now=now)
    billing_retention.purge(now=now)
    number_secrets.wipe()
    idempotency.purge()
    heartbeat.forget_the_dead()
    # At last, since the storage may be away.
    files.purge(now=now)
