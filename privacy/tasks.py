"""Doors for the queue; no rule lives here."""

from celery import shared_task

from config.lib import sql
from config.lib.jobs import Job
from privacy import erasure


@shared_task(name=Job.ERASE.value)
def erase(*, erasure_id: str = "") -> None:
    """Go on with an erasure, or with all that are due."""
    with sql.tolerating_outage("erase"):
        if erasure_id:
            erasure.run(erasure_id)
        else:
            erasure.run_due()
