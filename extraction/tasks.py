"""Doors for the queue; no rule lives here."""

import structlog
from celery import shared_task
from django.db import InterfaceError, OperationalError

from config.lib.jobs import Job
from extraction import leads, schedule

log = structlog.get_logger(__name__)


@shared_task(name=Job.LOOK.value)
def look() -> None:
    """Look for talks that have gone quiet."""
    try:
        schedule.look()
    except (OperationalError, InterfaceError) as error:
        # Whoever looks next finds the same.
        log.warning("extraction.postgres_away", reason=type(error).__name__)


@shared_task(name=Job.EXTRACT.value)
def extract(*, conversation_id: str) -> None:
    """Read a conversation."""
    leads.extract(conversation_id=conversation_id)
