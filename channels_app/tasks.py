"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from billing import idempotency
from billing import retention as billing_retention
from channels_app import retention, wiping
from config.lib import heartbeat
from config.lib.jobs import Job


@shared_task(name=Job.PURGE.value)
def purge() -> None:
    """Delete what need not be kept: old events and answers, tokens of deleted numbers, dead processes."""
    now = timezone.now()
    retention.purge(now=now)
    billing_retention.purge(now=now)
    wiping.wipe()
    idempotency.purge()
    heartbeat.forget_the_dead()
