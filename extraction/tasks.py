"""Doors for the queue; no rule lives here."""

from celery import shared_task

from config.lib import sql
from config.lib.jobs import Job
from extraction import leads, schedule


@shared_task(name=Job.LOOK.value)
def look() -> None:
    """Look for talks that have gone quiet."""
    with sql.tolerating_outage("extraction"):
        schedule.look()


@shared_task(name=Job.EXTRACT.value)
def extract(*, conversation_id: str) -> None:
    """Read a conversation."""
    with sql.tolerating_outage("extraction"):
        leads.extract(conversation_id=conversation_id)
