"""What people set right in a lead: it stays, whatever is read later."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents.prompt_variables import zone
from config.lib.texts import timestamp
from conversations.models import Conversation
from extraction import announcing, demo_times, notification, transcripts, values
from extraction.models import FIELDS, SCORES, Extraction
from extraction.values import Place, UnfitValueError

# A person may note a demo that has been; but a year in three digits is a slip.
_YEARS = range(2000, 2101)


class NotCurrentError(Exception):
    """The conversation has a newer lead, or none that may be corrected any more."""

    def __init__(self, current_extraction_id: str | None) -> None:
        super().__init__(f"the current lead is {current_extraction_id or 'none'}")
        self.current_extraction_id = current_extraction_id


class InvalidCorrectionError(ValueError):
    """A field cannot hold what it was to be set to."""

    def __init__(self, field: str, code: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.code = code
        self.detail = detail


@transaction.atomic
def correct(*, extraction_id: str, changes: Mapping[str, Any], actor: str, source: str = "api") -> Extraction:
    """
    Set fields of a conversation's lead for good, and tell the business; `source` is `api` or `admin`.

    Texts may be empty for null; a demo is a datetime or ISO 8601, at the business where it says no offset.
    A value that stands there already changes nothing but that its suggestion goes.

    :raises Extraction.DoesNotExist: if there is no such reading
    :raises NotCurrentError: if it is not the conversation's lead
    :raises InvalidCorrectionError: naming the first field that cannot be set so; nothing is changed
    """
    lead = _locked(extraction_id)
    fit = {name: _checked(name, value, lead) for name, value in changes.items()}
    before = lead.values()
    changed = [name for name in FIELDS if name in fit and fit[name] != before[name]]
    dropped = [name for name in fit if lead.suggestions.pop(name, None) is not None]
    if not changed and not dropped:
        return lead
    # Whoever sets a thing need not be told of it.
    news = notification.facts(before)
    for name in changed:
        setattr(lead, name, fit[name])
        lead.corrected[name] = {"by": actor, "at": timestamp(timezone.now())}
        lead.evidence.pop(name, None)
        lead.refused.pop(name, None)
    if "demo_datetime" in changed:
        lead.demo_source_text = ""
    lead.told = [*lead.told, *sorted(notification.facts(lead.values()) - news - {*lead.told})]
    lead.save(
        update_fields=[
            *(*changed, "corrected", "suggestions", "evidence", "refused", "demo_source_text", "told")
        ]
    )
    if changed:
        announcing.announce(lead, changed=changed, source=source, is_new=False)
    return lead


def _locked(extraction_id: str) -> Extraction:
    """Lock a lead, and before it its conversation, as whoever ends a reading does."""
    conversation_id = Extraction.objects.values_list("conversation_id", flat=True).get(pk=extraction_id)
    Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    lead = (
        Extraction.objects.select_for_update(no_key=True, of=("self",))
        .select_related("user", "conversation__customer__phone_number")
        .get(pk=extraction_id)
    )
    if not lead.is_current:
        current = Extraction.objects.current().filter(conversation_id=conversation_id)
        raise NotCurrentError(current.values_list("pk", flat=True).first())
    return lead


def _checked(name: str, value: Any, lead: Extraction) -> Any:
    """
    Return a value as it is stored.

    :raises InvalidCorrectionError: if the field cannot hold it, or there is no such field
    """
    if name not in FIELDS:
        raise InvalidCorrectionError(name, "unknown_field", "A lead has no field with this name.")
    try:
        if value is None:
            return None
        if name in SCORES:
            return values.score(value)
        if name == "demo_datetime":
            return _moment(value, lead)
        if not isinstance(value, str):
            raise UnfitValueError("invalid", "The value must be a string.")
        if name == "intent" and len(value) > values.LONGEST[name]:
            raise UnfitValueError("too_long", f"The value is longer than {values.LONGEST[name]} characters.")
        return values.text_rules(_place(lead))[name](value)
    except UnfitValueError as error:
        raise InvalidCorrectionError(name, error.code, error.detail) from error


def _moment(value: object, lead: Extraction) -> datetime | None:
    if isinstance(value, datetime):
        local = value if value.tzinfo else value.replace(tzinfo=zone(lead.user.timezone))
        at = local.astimezone(UTC)
    elif isinstance(value, str):
        if not value.strip():
            return None
        at = demo_times.moment(value, timezone=lead.user.timezone)
    else:
        raise UnfitValueError("not_a_time", "The value must be a date with a time of day.")
    if at.year not in _YEARS:
        raise UnfitValueError("out_of_range", "The year must be from 2000 to 2100.")
    return at


def _place(lead: Extraction) -> Place:
    phone, region = transcripts.origin(lead.conversation.customer)
    return Place(phone=phone, region=region)
