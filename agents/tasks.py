"""Doors for the queue; no rule lives here."""

import structlog
from celery import shared_task
from django.db import connection

from agents import dashboard_prompts, model_endings, silence
from channels_app import number_checks
from config.lib import sql
from config.lib.errors import ForeignError
from config.lib.jobs import Job

log = structlog.get_logger(__name__)


@shared_task(name=Job.CHECK_ENDINGS.value)
def check_endings() -> None:
    """Report the prompts that OpenAI has ended and the models that it is about to shut down."""
    with sql.tolerating_outage("endings"):
        dashboard_prompts.report_all()
        connection.close()
        try:
            model_endings.check()
        except ForeignError as error:
            # Dates that are known already are still reported; the next day's run reads them again.
            log.warning("models.not_read", reason=str(error), code=error.code)
            model_endings.report()


@shared_task(name=Job.CHECK_NUMBERS.value)
def check_numbers() -> None:
    """Report numbers that fell silent, and ask Graph about those that were not checked lately."""
    with sql.tolerating_outage("numbers"):
        silence.report_all()
        connection.close()
        number_checks.check_due()
