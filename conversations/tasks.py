"""Doors for the queue; no rule lives here."""

from celery import shared_task

from config.lib.jobs import Job
from conversations import events, turns


@shared_task(name=Job.DRAIN.value)
def drain(*, phone_number_id: str) -> None:
    """Answer what waits on a number."""
    turns.drain(phone_number_id=phone_number_id)


@shared_task(name=Job.APPLY_EVENTS.value)
def apply_events() -> None:
    """Apply what channels told."""
    events.apply()
