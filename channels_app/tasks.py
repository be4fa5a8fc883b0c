"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from channels_app import retention
from config.lib import heartbeat
from config.lib.jobs import Job


@shared_task(name=Job.PURGE.value)
def purge() -> None:
    """Delete what need not be kept: events applied long ago, and signs of life of processes long gone."""
    retention.purge(now=timezone.now())
    heartbeat.forget_the_dead()
