"""
What is taken of a model's answer: each field by itself, and only what the transcript bears out.

A field that cannot be taken becomes null, with the reason; it never costs the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from math import isnan
from typing import Any

from extraction import cleaning, demo_times, provenance, values
from extraction.models import FIELDS
from extraction.schema import Demo, Lead, Score, Text
from extraction.transcripts import Line, Transcript
from extraction.values import Place, UnfitValueError, Value

LONGEST_NOTIFICATION = 500
LONGEST_REASON = 255
LONGEST_SOURCE = 255

# Whether a value of a field was said.
Proof = Callable[[str], bool]


@dataclass(slots=True)
class Findings:
    """
    What a reading found, by field.

    `evidence` has a confidence from 0 to 1 and ids of messages; `newest` the number of the newest message of
    the customer among them; `refused` why a field that the model gave was not taken.
    """

    values: dict[str, Value] = field(default_factory=lambda: dict.fromkeys(FIELDS))
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    demo_source_text: str = ""
    smart_notification: str | None = None
    nothing_found: str | None = None


def check(answer: Lead, transcript: Transcript) -> Findings:
    """Take of an answer what it may hold and what was said; all else is null, with the reason."""
    findings = Findings(
        smart_notification=cleaning.sentence(answer.smart_notification or "", longest=LONGEST_NOTIFICATION)
        or None,
        nothing_found=cleaning.sentence(answer.nothing_found or "", longest=LONGEST_REASON) or None,
    )
    for name in FIELDS:
        answered: Text | Score | Demo | None = getattr(answer, name)
        if answered is None:
            continue
        cited = transcript.cited(answered.messages)
        try:
            value = _value(name, answered, cited, transcript)
        except UnfitValueError as error:
            findings.refused[name] = error.detail
            continue
        if value is None:
            continue
        findings.values[name] = value
        findings.evidence[name] = {
            "confidence": _clamped(answered.confidence),
            "messages": [line.message_id for line in cited],
        }
        findings.newest[name] = max(line.number for line in cited if line.is_customers)
        if isinstance(answered, Demo):
            findings.demo_source_text = cleaning.one_line(answered.source_text)[:LONGEST_SOURCE]
    return findings


def _value(
    name: str, answered: Text | Score | Demo, cited: tuple[Line, ...], transcript: Transcript
) -> Value:
    """
    Return the field's value from the model's answer.

    :raises UnfitValueError: if it can hold nothing of it
    """
    if isinstance(answered, Demo):
        return _demo(answered, cited, transcript)
    value = _taken(name, answered, transcript)
    if value is None:
        return None
    _newest_of_customer(cited)
    proof = _proofs(transcript, cited).get(name)
    if proof is not None and not proof(str(value)):
        raise UnfitValueError("not_said", "The value does not occur in any message of the customer.")
    return value


def _taken(name: str, answered: Text | Score, transcript: Transcript) -> Value:
    if isinstance(answered, Score):
        return values.score(answered.value)
    place = Place(phone=transcript.customer_phone, region=transcript.region)
    return values.text_rules(place)[name](answered.value)


def _proofs(transcript: Transcript, cited: tuple[Line, ...]) -> dict[str, Proof]:
    """Return the check that a field's value occurs in the transcript; other fields have none."""
    return {
        "name": partial(provenance.is_name_written, transcript=transcript, cited=cited),
        "email": partial(provenance.is_email_written, transcript=transcript),
        "phone": partial(provenance.is_phone_written, transcript=transcript),
        "company": partial(provenance.are_words_written, transcript=transcript),
    }


def _demo(answered: Demo, cited: tuple[Line, ...], transcript: Transcript) -> datetime | None:
    if not cleaning.meant(answered.value):
        return None
    written_at = _newest_of_customer(cited).at
    at = demo_times.agreed(answered.value, timezone=transcript.timezone, written_at=written_at)
    if not provenance.is_quoted(answered.source_text, cited):
        raise UnfitValueError(
            "not_said", "The quoted words do not occur in any message that the model cited."
        )
    return at


def _newest_of_customer(cited: tuple[Line, ...]) -> Line:
    own = [line for line in cited if line.is_customers]
    if not own:
        raise UnfitValueError("no_evidence", "The model cited no message of the customer as evidence.")
    return own[-1]


def _clamped(confidence: float) -> float:
    return 0.0 if isnan(confidence) else min(max(float(confidence), 0.0), 1.0)
