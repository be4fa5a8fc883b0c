"""
Erases a customer from the whole service, at OpenAI and in the storage, and leaves a receipt.

First, in one transaction under the locks of the number: tombstones, the open turn and the conversations end,
and the row loses everything that says who it is. From then on nothing new can be added. Then the rows go,
table by table, in batches; a second pass a while later takes what was being written at that moment. What can
only be deleted elsewhere is tried until it is done.
"""

from collections import Counter
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import audit
from billing import erasing as billing_erasing
from billing.audit import Action
from channels_app import erasing as channel_erasing
from channels_app import tombstones
from channels_app.models import Customer, PhoneNumber
from config.lib import actors, errors, redis, sql
from config.lib.jobs import Job, ring
from conversations import erasing as conversation_erasing
from conversations import pending_deletions
from conversations.pending_deletions import Kind
from extraction import erasing as extraction_erasing
from privacy import staff_log
from privacy.models import Erasure
from privacy.subject import Subject

log = structlog.get_logger(__name__)

# A second pass comes so long after the first: every transaction of that time has ended by then.
SETTLES_AFTER = timedelta(seconds=60)
_RETRIES = 5
_WAIT = timedelta(seconds=30)
_AFTER_FAILURE = timedelta(minutes=5)


def begin(*, customer_id: str, source: Erasure.Source) -> Erasure:
    """
    Detach a customer from everything, and have all of it deleted; once, whatever is called again.

    :raises Customer.DoesNotExist: if there is none, and none was erased under this id
    """
    with transaction.atomic():
        if (known := Erasure.objects.filter(customer_id=customer_id).first()) is not None:
            return known
        customer = channel_erasing.lock(customer_id)
        known = Erasure.objects.filter(customer_id=customer_id).first()
        return known or _begin(customer, source)


def _begin(customer: Customer, source: Erasure.Source) -> Erasure:
    number, person = customer.phone_number_id, channel_erasing.ids_of(customer)
    owner = PhoneNumber.objects.values_list("user_id", flat=True).filter(pk=number).first()
    held = conversation_erasing.held(customer.pk)
    message_ids = sorted({*held.message_ids, *channel_erasing.messages_of(customer.pk)} - {None})
    files = [*held.files, *channel_erasing.files_of(customer.pk)]
    now = timezone.now()
    erasure = Erasure(
        user_id=owner,
        customer_id=customer.pk,
        phone_number_id=number,
        source=source,
        actor=actors.current().label[:150],
        requested_at=now,
    )
    subject = Subject(
        user_id=owner or "",
        customer_id=customer.pk,
        phone_number_id=number,
        ids=person,
        conversation_ids=held.conversation_ids,
        extraction_ids=extraction_erasing.ids_of(held.conversation_ids),
        message_ids=message_ids,
        row_ids=conversation_erasing.references(held.conversation_ids),
    )
    tombstones.add(phone_number_id=number, person=person, message_ids=message_ids, erased_at=now)
    if person.get("visitor_id"):
        files += channel_erasing.delete_unsent_pictures(number, person["visitor_id"])
    channel_erasing.detach(customer)
    conversation_erasing.end(customer.pk)
    # Whoever holds the turn may ask OpenAI for as long as that.
    lasts = timedelta(milliseconds=settings.TURN_DEADLINE) if held.has_open_turn else timedelta()
    openai = {
        Kind.OPENAI_CONVERSATION: held.openai_conversation_ids,
        Kind.OPENAI_RESPONSE: held.openai_response_ids,
    }
    elsewhere = {Kind.FILE: pending_deletions.add(Kind.FILE, files, erasure_id=erasure.pk)} | {
        kind: pending_deletions.add(kind, targets, erasure_id=erasure.pk, due_at=now + lasts)
        for kind, targets in openai.items()
    }
    erasure.counts = {kind.value: count for kind, count in elsewhere.items() if count}
    erasure.set_subject(subject.as_text())
    erasure.save(force_insert=True)
    audit.record(Action.CUSTOMER_ERASED, customer.pk, user_id=owner)
    ring(Job.ERASE, erasure_id=erasure.pk)
    log.warning("customer.erased", customer_id=customer.pk, erasure_id=erasure.pk, source=source.value)
    return erasure


def due() -> list[str]:
    """Return the erasures that are to be gone on with."""
    found = Erasure.objects.filter(state=Erasure.State.RUNNING, due_at__lte=timezone.now())
    return list(found.order_by("due_at").values_list("pk", flat=True)[:100])


def run_due() -> None:
    """
    Go on with all erasures that are due; one that fails holds up no other.

    :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
    """
    for erasure_id in due():
        try:
            run(erasure_id)
        except Exception as error:
            if sql.is_unavailable(error):
                raise
            log.exception("erasure.failed", erasure_id=erasure_id)
            Erasure.objects.filter(pk=erasure_id).update(
                due_at=timezone.now() + _AFTER_FAILURE, error=errors.summary(error)[:255]
            )


def run(erasure_id: str) -> Erasure:
    """
    Go on with an erasure: delete what is there, and end it if nothing is left and it has settled.

    Twice is the same as once. Call it with no transaction open.
    """
    erasure = Erasure.objects.get(pk=erasure_id)
    if erasure.state == Erasure.State.DONE:
        return erasure
    subject = Subject.from_text(erasure.get_subject())
    counts, error = _pass(subject, erasure.requested_at)
    while pending_deletions.run(erasure_id=erasure_id):
        pass
    _note(erasure, counts, error)
    return Erasure.objects.get(pk=erasure_id)


def _pass(subject: Subject, before: datetime) -> tuple[Counter[str], str]:
    """Delete the rows of a customer; return how many of each kind, and what could not be reached."""
    counts: Counter[str] = Counter()
    for attempt in range(1, _RETRIES + 1):
        try:
            _delete_rows(subject, counts)
            break
        except IntegrityError:
            # Somebody added a row meanwhile; the conversations have ended, so that is soon over.
            if attempt == _RETRIES:
                raise
    counts["channel_events"] += channel_erasing.delete_events(
        phone_number_id=subject.phone_number_id,
        names=subject.names,
        message_ids=subject.message_ids,
        before=before,
    )
    counts.update(channel_erasing.clean_dead_letters(names=subject.names, before=before))
    if subject.user_id:
        counts.update(
            billing_erasing.delete_events(
                user_id=subject.user_id,
                conversation_ids=subject.conversation_ids,
                names=[subject.customer_id],
            )
        )
    counts["emails"] += billing_erasing.delete_emails([f"lead:{one}" for one in subject.extraction_ids])
    counts["idempotency_keys"] += billing_erasing.wipe_answers(
        names=[subject.customer_id, *subject.conversation_ids]
    )
    counts["staff_log"] += staff_log.wipe([subject.customer_id, *subject.extraction_ids, *subject.row_ids])
    try:
        counts["spool"] += channel_erasing.clean_spool(names=subject.names, before=before)
    except redis.RedisUnavailableError:
        return counts, "redis"
    return counts, ""


def _delete_rows(subject: Subject, counts: Counter[str]) -> None:
    # Those that a turn had just opened are found, too.
    found = conversation_erasing.held(subject.customer_id)
    if found.conversation_ids:
        counts["extractions"] += extraction_erasing.delete(found.conversation_ids)
    counts.update(conversation_erasing.delete(subject.customer_id))
    counts["inbound_messages"] += channel_erasing.delete_inbox(subject.customer_id)
    counts["customers"] += channel_erasing.delete_customer(subject.customer_id)


def _note(erasure: Erasure, counts: Counter[str], error: str) -> None:
    """Store the counts, and end the erasure once everything is gone for good."""
    sql.release_connection()
    now = timezone.now()
    with transaction.atomic():
        row = Erasure.objects.select_for_update().get(pk=erasure.pk)
        if row.state == Erasure.State.DONE:
            return
        total = Counter(row.counts)
        total.update(counts)
        row.counts = {name: count for name, count in sorted(total.items()) if count}
        left = pending_deletions.left(erasure.pk)
        settles_at = row.requested_at + SETTLES_AFTER
        row.error = error or (f"{left} deletions elsewhere are left" if left else "")
        if row.error or now < settles_at:
            row.due_at = max(settles_at, now + _WAIT) if row.error else settles_at
        else:
            row.state, row.finished_at, row.subject = Erasure.State.DONE, now, ""
            log.info("erasure.done", erasure_id=row.pk)
        row.save()
