"""Doors for the queue; no rule lives here."""

from celery import shared_task

from billing import mail
from billing.webhooks import delivery
from config.lib import sql
from config.lib.jobs import Job


@shared_task(name=Job.DELIVER_WEBHOOKS.value)
def deliver_webhooks(*, endpoint_id: str = "") -> None:
    """Post what is due to an endpoint, or have that done for each that has something."""
    with sql.tolerating_outage("notify"):
        if endpoint_id:
            delivery.deliver(endpoint_id=endpoint_id)
        else:
            delivery.ring_due()


@shared_task(name=Job.DELIVER_SLOW_WEBHOOKS.value)
def deliver_slow_webhooks(*, endpoint_id: str) -> None:
    """Post what is due to an endpoint that takes long to answer."""
    with sql.tolerating_outage("notify"):
        delivery.deliver(endpoint_id=endpoint_id, is_slow=True)


@shared_task(name=Job.SEND_EMAILS.value)
def send_emails() -> None:
    """Send the e-mails that are due."""
    with sql.tolerating_outage("notify"):
        mail.send_due()
