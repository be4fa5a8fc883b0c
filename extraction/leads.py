"""Reads a conversation for the lead in it: transcript, model, what of the answer is taken, who is told."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from agents import prompts, structured
from agents.llm import LONGEST_PAUSE, BreakerOpenError
from agents.structured import Structured
from billing import mail
from billing.models import User
from config.lib import shutdown, sql
from config.lib.errors import ForeignError, UnavailableError
from extraction import announcing, fields, merging, notification, prompting, runs, schema, transcripts
from extraction.fields import Findings
from extraction.models import Extraction
from extraction.prompting import ModelRequest
from extraction.runs import LeaseLostError, Run
from extraction.transcripts import Transcript

log = structlog.get_logger(__name__)

NOTHING = "nothing in it tells who the customer is or what they want"
_holding: set[str] = set()
_lock = threading.Lock()


def extract(*, conversation_id: str) -> None:
    """Read a conversation that waits to be read, then those that wait longest, unless others read them."""
    waiting = [conversation_id]
    while waiting and not shutdown.is_stopping.is_set():
        _extract(waiting[0])
        waiting = runs.unheld(most=1)


def _extract(conversation_id: str) -> None:
    if (run := runs.claim(conversation_id=conversation_id)) is None:
        return
    try:
        with _held(run), structlog.contextvars.bound_contextvars(extraction_id=run.extraction_id):
            _read(run)
    except LeaseLostError:
        log.warning("extraction.lease_lost", extraction_id=run.extraction_id)


def _read(run: Run) -> None:
    transcript = transcripts.read(conversation_id=run.conversation_id, upto=run.upto)
    lead = Extraction.objects.current().filter(conversation_id=run.conversation_id).first()
    context = prompts.Context(
        customer_name=transcript.customer_name,
        channel=transcript.channel,
        business_name=transcript.business_name,
        timezone=transcript.timezone,
    )
    try:
        model_request = prompting.arguments(user_id=run.user_id, context=context)
        items = transcripts.items(transcript, lead=lead.values() if lead else None, now=timezone.now())
        # No connection is held while a foreign API is called.
        connection.close()
        answer = structured.ask(
            arguments=model_request.arguments,
            items=items,
            text_format=schema.Lead,
            safety_identifier=hashlib.sha256(transcript.customer_id.encode()).hexdigest(),
            deadline=run.deadline,
        )
    except ForeignError as error:
        _not_read(run, error)
    else:
        findings = fields.check(answer.answer, transcript)
        sql.retry_until(lambda: _keep(run, transcript, model_request, answer, findings), until=run.deadline)


def _not_read(run: Run, error: ForeignError) -> None:
    """Defer the extraction if OpenAI asks for it, else end it as failed."""
    if isinstance(error, UnavailableError):
        seconds = error.retry_after or 0
        is_long = seconds > LONGEST_PAUSE or isinstance(error, BreakerOpenError)
        if is_long and runs.defer(run, seconds=seconds):
            log.warning("extraction.deferred", seconds=round(seconds, 1), code=error.code)
            return
    log.error("extraction.failed", reason=str(error), code=error.code, request_id=error.request_id)
    sql.retry_until(lambda: runs.fail(run, reason=f"model: {error.code or error}"), until=run.deadline)


@transaction.atomic
def _keep(
    run: Run,
    transcript: Transcript,
    model_request: ModelRequest,
    answer: Structured[schema.Lead],
    findings: Findings,
) -> None:
    """Write down what was found; what a person corrected in the meantime stays."""
    row = runs.held(run)
    current = Extraction.objects.current().filter(conversation_id=run.conversation_id).first()
    merged = merging.merge(findings, current)
    known: dict[str, Any] = {
        **merged.values,
        "evidence": merged.evidence,
        "corrected": merged.corrected,
        "suggestions": merged.suggestions,
        "refused": merged.refused,
        "demo_source_text": merged.demo_source_text,
        "prompt_id": model_request.prompt_id,
        "prompt_version": model_request.version,
        "model": answer.model[:100],
        "openai_response_id": answer.response_id[:100],
        "tokens_used": answer.tokens_used,
    }
    if current is None and not merging.is_lead(merged.values, transcript):
        runs.end(row, status=Extraction.Status.EMPTY, reason=findings.nothing_found or NOTHING, **known)
        log.info("extraction.empty")
        return
    if current is not None:
        Extraction.objects.filter(pk=current.pk).update(is_current=False)
    notified = list(current.told) if current else []
    news = notification.news(merged.values, notified)
    runs.end(
        row,
        status=Extraction.Status.SUCCEEDED,
        **known,
        is_current=True,
        changed=merged.changed,
        smart_notification=notification.sentence(merged.values, findings.smart_notification),
        told=[*notified, *news],
        notified_at=timezone.now() if news else None,
    )
    if current is None or merged.changed:
        announcing.announce(row, changed=merged.changed, source="extraction", is_new=current is None)
    if news:
        _notify(row, transcript)
    log.info("extraction.done", changed=len(merged.changed), is_new=current is None, news=len(news))


def _notify(lead: Extraction, transcript: Transcript) -> None:
    """Write to whom the business wants to be told of leads, once for what is new in this one."""
    to = User.objects.values_list("notify_email", flat=True).get(pk=lead.user_id)
    if to:
        subject, body = notification.email(lead, transcript)
        mail.write(
            user_id=lead.user_id, to=to, subject=subject, body=body, reference=f"lead:{lead.extraction_id}"
        )


# --- Handing back when this process stops ------------------------------------------------------------


@contextlib.contextmanager
def _held(run: Run) -> Iterator[None]:
    with _lock:
        _holding.add(run.lease_token)
    try:
        yield
    finally:
        with _lock:
            _holding.discard(run.lease_token)


def _hand_back() -> None:
    with _lock:
        tokens = list(_holding)
    try:
        if tokens:
            runs.hand_back(tokens)
    finally:
        connection.close()


shutdown.register(hand_back=_hand_back, is_busy=lambda: False)
