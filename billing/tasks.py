"""Doors for the queue; no rule lives here."""

import contextlib
from collections.abc import Iterator

import structlog
from celery import shared_task
from django.db import InterfaceError, OperationalError

from billing import mail
from billing.webhooks import delivery
from config.lib.jobs import Job

log = structlog.get_logger(__name__)


@shared_task(name=Job.DELIVER_WEBHOOKS.value)
def deliver_webhooks(*, endpoint_id: str = "") -> None:
    """Post what is due to an endpoint, or have that done for each that has something."""
    with _postgres_may_be_away():
        if endpoint_id:
            delivery.deliver(endpoint_id=endpoint_id)
        else:
            delivery.ring_due()


@shared_task(name=Job.SEND_EMAILS.value)
def send_emails() -> None:
    """Send the e-mails that are due."""
    with _postgres_may_be_away():
        mail.send_due()


@contextlib.contextmanager
def _postgres_may_be_away() -> Iterator[None]:
    """Leave it to the next ring: the sweeper rings when Postgres is back."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        log.warning("notify.postgres_away", reason=type(error).__name__)
