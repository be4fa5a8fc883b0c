"""How a lead gets better: what a new reading found, beside what is known and what a person has set."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from extraction import provenance
from extraction.fields import Findings
from extraction.models import FIELDS, Extraction
from extraction.transcripts import Transcript
from extraction.values import Value, as_json

# With any of these somebody can be called a lead.
_TELLING = ("name", "email", "phone", "company", "intent", "demo_datetime")


@dataclass(slots=True)
class Merged:
    """A lead as it is after a reading; `changed` are the fields whose value is another than before."""

    values: dict[str, Value] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    corrected: dict[str, Any] = field(default_factory=dict)
    suggestions: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    demo_source_text: str = ""
    changed: list[str] = field(default_factory=list)


def merge(findings: Findings, current: Extraction | None) -> Merged:
    """
    Put what a reading found to the lead as it is.

    A field keeps its value unless the reading has newer words for another or is as sure of it. What a person
    set stays, null too; what the reading would have put there becomes a suggestion.
    """
    known: dict[str, Value] = dict(current.values()) if current else dict.fromkeys(FIELDS)
    merged = Merged(
        values=dict(known),
        evidence=dict(current.evidence) if current else {},
        corrected=dict(current.corrected) if current else {},
        suggestions=dict(current.suggestions) if current else {},
        refused=dict(findings.refused),
        demo_source_text=current.demo_source_text if current else "",
    )
    for name in FIELDS:
        value = findings.values[name]
        if value is None:
            continue
        if name in merged.corrected:
            _suggest(merged, name, findings)
        elif known[name] is None or _is_better(name, findings, current):
            merged.values[name], merged.evidence[name] = value, findings.evidence[name]
            if name == "demo_datetime":
                merged.demo_source_text = findings.demo_source_text
    merged.changed = [name for name in FIELDS if merged.values[name] != known[name]]
    return merged


def is_lead(values: Mapping[str, Value], transcript: Transcript, *, corrected: Collection[str] = ()) -> bool:
    """
    Return whether values make a lead: who the customer is or what they want.

    What the channel tells of everybody, a profile's name or the number they write from, does not by itself;
    what a person set does.
    """
    return any(
        values[name] is not None and (name in corrected or not _is_from_channel(name, values, transcript))
        for name in _TELLING
    )


def _is_better(name: str, findings: Findings, current: Extraction | None) -> bool:
    if current is None or findings.newest[name] > current.upto_sequence_no:
        return True
    earlier: Any = current.evidence.get(name) or {}
    return bool(findings.evidence[name]["confidence"] >= earlier.get("confidence", 0.0))


def _suggest(merged: Merged, name: str, findings: Findings) -> None:
    """Keep what would stand where a person has set something else."""
    if findings.values[name] == merged.values[name]:
        merged.suggestions.pop(name, None)
    else:
        merged.suggestions[name] = {"value": as_json(findings.values[name]), **findings.evidence[name]}


def _is_from_channel(name: str, values: Mapping[str, Value], transcript: Transcript) -> bool:
    value = str(values[name])
    if name == "phone":
        return value == transcript.customer_phone
    if name != "name":
        return False
    is_in_profile = provenance.is_written(value, transcript.customer_name)
    return is_in_profile and not provenance.are_words_written(value, transcript)
