"""Doors for the queue; no rule lives here."""

import structlog
from celery import shared_task

from config.lib import sql
from config.lib.jobs import Job
from privacy import erasure

log = structlog.get_logger(__name__)


@shared_task(name=Job.ERASE.value)
def erase(*, erasure_id: str = "") -> None:
    """Go on with an erasure, or with all that are due."""
    with sql.may_be_away("erase"):
        for one in [erasure_id] if erasure_id else erasure.due():
            erasure.run(one)
