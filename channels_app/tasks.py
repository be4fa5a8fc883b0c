"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from channels_app import retention
from config.lib.jobs import Job


@shared_task(name=Job.PURGE.value)
def purge() -> None:
    """Delete events that were applied long ago."""
    retention.purge(now=timezone.now())
