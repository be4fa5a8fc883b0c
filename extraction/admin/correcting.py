"""What hands may do to a lead: set right what is wrong in it, and have its conversation read again."""

import hashlib
import json
from dataclasses import replace
from typing import Any

from django import forms

from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press
from conversations.models import Conversation
from extraction import corrections, runs
from extraction.corrections import InvalidCorrectionError, NotCurrentError
from extraction.models import FIELDS, Extraction
from extraction.runs import NothingWrittenError
from extraction.schema import LEVELS

_SCORES = (("", "-"), ("1", "1"), ("2", "2"), ("3", "3"))


class ChangedMeanwhileError(Exception):
    """The lead is another than the form was filled in for."""


def _score(name: str) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=name.capitalize(),
        required=False,
        choices=_SCORES,
        coerce=int,
        empty_value=None,
        help_text=LEVELS[name].rstrip("."),
        widget=widgets.choice("").widget,
    )


class CorrectionForm(ButtonForm):
    """What a lead is; what is left as it stands is not corrected."""

    name = widgets.text("Name", required=False, most=100)
    email = widgets.text("E-mail", required=False)
    phone = widgets.text("Phone", required=False, most=60)
    company = widgets.text("Company", required=False)
    intent = widgets.text("Intent", required=False, most=100)
    urgency = _score("urgency")
    budget = _score("budget")
    fit = _score("fit")
    engagement = _score("engagement")
    demo_datetime = widgets.moment("Demo", required=False, help_text="In UTC.")
    # What was seen when the form was made, so that nobody undoes what came meanwhile.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)


def _seen(lead: Extraction) -> str:
    return hashlib.sha256(json.dumps(lead.values(), default=str).encode()).hexdigest()[:32]


def _initial(lead: Extraction) -> dict[str, Any]:
    return {**lead.values(), "seen": _seen(lead)}


def _correct(press: Press) -> str:
    lead: Extraction = press.row
    if press.data["seen"] != _seen(lead):
        raise ChangedMeanwhileError
    before = lead.values()
    if lead.demo_datetime:
        # As the form shows it.
        before["demo_datetime"] = lead.demo_datetime.replace(microsecond=0)
    entered = {name: press.data[name] or None for name in FIELDS}
    changes = {name: value for name, value in entered.items() if value != before[name]}
    corrections.correct(
        extraction_id=lead.pk,
        changes=changes,
        actor=f"staff:{press.request.user.get_username()}"[:100],
        source="admin",
    )
    return f"corrected: {', '.join(changes)}" if changes else "nothing changed"


def _read_again(press: Press) -> str:
    is_conversation = isinstance(press.row, Conversation)
    conversation_id = press.row.pk if is_conversation else press.row.conversation_id
    return f"is being read as {runs.want(conversation_id=conversation_id).pk}"


CORRECT = Button(
    name="correct",
    title="Correct",
    permission="extraction.correct_extraction",
    press=_correct,
    form=CorrectionForm,
    errors={
        ChangedMeanwhileError: "The lead has changed since you opened this form. Open it again.",
        InvalidCorrectionError: "",
        NotCurrentError: "The conversation has a newer lead. Correct that one.",
    },
    initial=_initial,
    is_offered=lambda lead: lead.is_current,
    icon="edit",
    explanation="Your values win over later readings. Leave a field empty if there is no value.",
)
READ = Button(
    name="read-again",
    title="Read again",
    permission="extraction.read_extraction",
    press=_read_again,
    errors={NothingWrittenError: "The customer has written nothing in this conversation."},
    icon="person_search",
    explanation="Reads the conversation for its lead now, up to its newest message.",
)
READ_CONVERSATION = replace(READ, name="read-lead", title="Read the lead now")
