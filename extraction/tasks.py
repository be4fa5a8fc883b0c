"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from config.lib import sql
from config.lib.jobs import Job
from extraction import leads, retention, schedule


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


@shared_task(name=Job.PURGE_LEADS.value)
def purge() -> None:
    """Delete the readings that are older than LEAD_RETENTION_DAYS."""
    with sql.tolerating_outage("purge_leads"):
        retention.purge(now=timezone.now())
