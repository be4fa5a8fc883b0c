"""What a sales person is told of a lead, once for each thing that matters: by e-mail, in plain words."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from agents.prompt_variables import zone
from extraction import cleaning
from extraction.fields import LONGEST_NOTIFICATION
from extraction.models import FIELDS, SCORES, Extraction
from extraction.transcripts import Transcript
from extraction.values import Value

LONGEST_SUBJECT = 150
_HIGHEST = 3
_LABELS = {"email": "E-mail", "demo_datetime": "Demo"}


def facts(values: Mapping[str, Value]) -> set[str]:
    """Return the facts worth a notification: contact data, a demo, great urgency, a fit with a budget."""
    at = values["demo_datetime"]
    worth_notifying = {f"{name}:{values[name]}" for name in ("email", "phone") if values[name]}
    if isinstance(at, datetime):
        worth_notifying.add(f"demo:{at.astimezone(UTC).isoformat()}")
    if values["urgency"] == _HIGHEST:
        worth_notifying.add("urgency:3")
    if values["fit"] == values["budget"] == _HIGHEST:
        worth_notifying.add("fit+budget:3")
    return worth_notifying


def news(values: Mapping[str, Value], notified: Collection[str]) -> list[str]:
    """Return the facts worth a notification that were in none so far."""
    return sorted(facts(values) - {*notified})


def sentence(values: Mapping[str, Value], smart_notification: str | None) -> str:
    """Return the sentence for the sales person: the model's, or one made of the fields if it wrote none."""
    return smart_notification or _made(values)


def email(lead: Extraction, transcript: Transcript) -> tuple[str, str]:
    """Return subject and body of the e-mail: what is new, all known values, and their sources."""
    values = lead.values()
    who = " / ".join(_line(values[name]) for name in ("name", "company") if values[name])
    subject = f"Lead: {who or _line(values['email'] or values['phone'] or 'somebody')}"
    changed = [_label(name) for name in FIELDS if name in lead.changed and values[name] is not None]
    known = [
        f"{_label(name)}: {_display(name, values[name], transcript)}"
        for name in FIELDS
        if values[name] is not None
    ]
    body = [
        _line(sentence(values, lead.smart_notification)),
        "",
        *([f"New: {', '.join(changed)}", ""] if changed else []),
        *known,
        "",
        f"Customer: {_line(lead.conversation.customer_phone)} ({_line(transcript.channel)})",
        f"Conversation: {lead.conversation_id}",
        "",
        "The lines above come from what a customer wrote. Nobody has checked them.",
    ]
    return subject[:LONGEST_SUBJECT], "\n".join(body) + "\n"


def _made(values: Mapping[str, Value]) -> str:
    who = _line(values["name"] or "Somebody")
    company = f" of {_line(values['company'])}" if values["company"] else ""
    wants = f"wants: {_line(values['intent'])}" if values["intent"] else "may become a customer"
    demo = " A time for a demo was named." if values["demo_datetime"] else ""
    return f"{who}{company} {wants}.{demo}"[:LONGEST_NOTIFICATION]


def _display(name: str, value: Value, transcript: Transcript) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone(transcript.timezone)):%A, %Y-%m-%d %H:%M} ({transcript.timezone})"
    return f"{value} of {_HIGHEST}" if name in SCORES else _line(value)


def _label(name: str) -> str:
    return _LABELS.get(name) or name.capitalize()


def _line(value: object) -> str:
    """Return a value on one line without anything that could be read as a tag."""
    return cleaning.one_line(str(value)).translate(str.maketrans("", "", "<>"))
