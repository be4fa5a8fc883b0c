"""Doors for the queue; no rule lives here."""

from celery import shared_task

from config.lib import failpoints, sql
from config.lib.jobs import Job
from conversations import archiving, events, retrying, turns


@shared_task(name=Job.DRAIN.value)
def drain(*, phone_number_id: str) -> None:
    """Answer what waits on a number."""
    failpoints.reach("P4", about=phone_number_id)
    _drain(phone_number_id, quarantined=False)


@shared_task(name=Job.QUARANTINE.value)
def quarantine(*, phone_number_id: str) -> None:
    """Answer, apart from all others, what has cost several workers their life already."""
    _drain(phone_number_id, quarantined=True)


def _drain(phone_number_id: str, *, quarantined: bool) -> None:
    with sql.may_be_away("drain"):
        turns.drain(phone_number_id=phone_number_id, quarantined=quarantined)


@shared_task(name=Job.APPLY_EVENTS.value)
def apply_events() -> None:
    """Apply what channels told."""
    events.apply()


@shared_task(name=Job.SEND.value)
def send(*, message_id: str) -> None:
    """Send what a person said, or a reply that they had sent again."""
    retrying.send(message_id=message_id)


@shared_task(name=Job.CLOSE_CONVERSATIONS.value)
def close_archived(*, archive_id: str) -> None:
    """Close the conversations of an agent that no longer answers on a number."""
    archiving.close_archived(archive_id=archive_id)
