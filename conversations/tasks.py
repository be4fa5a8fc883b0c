"""Doors for the queue; no rule lives here."""

from celery import shared_task
from django.utils import timezone

from config.lib import failpoints, sql
from config.lib.jobs import Job
from config.lib.task_worker import AtOnceTask
from conversations import archiving, events, pending_deletions, retention, retrying
from conversations.answering import engine


@shared_task(name=Job.DRAIN.value, base=AtOnceTask)
def drain(*, phone_number_id: str) -> None:
    """Wake this process's engine for a number."""
    failpoints.reach("P4", about=phone_number_id)
    engine.wake(phone_number_id)


@shared_task(name=Job.QUARANTINE.value)
def quarantine(*, phone_number_id: str) -> None:
    """Answer, apart from all others, what has cost several workers their life already."""
    with sql.tolerating_outage("quarantine"):
        engine.drain(phone_number_id, quarantined=True)


@shared_task(name=Job.APPLY_EVENTS.value)
def apply_events() -> None:
    """Apply what channels told."""
    with sql.tolerating_outage("events"):
        events.apply()


@shared_task(name=Job.SEND.value)
def send(*, message_id: str) -> None:
    """Send what a person said, or a reply that they had sent again."""
    with sql.tolerating_outage("send"):
        retrying.send(message_id=message_id)


@shared_task(name=Job.CLOSE_CONVERSATIONS.value)
def close_archived(*, archive_id: str) -> None:
    """Close the conversations of an agent that no longer answers on a number."""
    with sql.tolerating_outage("close_archived"):
        archiving.close_archived(archive_id=archive_id)


@shared_task(name=Job.DELETE_ELSEWHERE.value)
def delete_elsewhere() -> None:
    """Delete at OpenAI and in the storage what was erased or given up here."""
    with sql.tolerating_outage("delete_elsewhere"):
        while pending_deletions.run():
            pass


@shared_task(name=Job.PURGE_CONVERSATIONS.value)
def purge() -> None:
    """Delete the messages and files that are older than their settings say."""
    with sql.tolerating_outage("purge_conversations"):
        retention.purge(now=timezone.now())
