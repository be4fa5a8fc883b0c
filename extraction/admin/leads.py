"""Leads: what is known, what bears it out, and the readings it comes from."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import display

from config.admin.pages import Page, extend, link, since
from conversations.models import Conversation
from extraction import listing
from extraction.admin.correcting import CORRECT, READ, READ_CONVERSATION
from extraction.models import FIELDS, SCORES, Extraction

_STATUS_LABELS = {
    "waiting": "info",
    "running": "info",
    "succeeded": "success",
    "empty": "default",
    "failed": "danger",
}
# Readings of one conversation that its page lists.
_MOST_LISTED = 20


@admin.register(Extraction)
class ExtractionPage(Page):
    """What was learned from conversations."""

    list_display = (
        *("extraction_id", "status_label", "is_current", "name", "company", "email", "intent", "scores"),
        *("conversation_link", "extracted_at"),
    )
    list_filter = (since("ext"), "is_current", "status", *SCORES)
    looked_up_by = ("extraction_id", "conversation_id", "user_id")
    search_help_text = "Id of a lead, of a conversation or of a business"
    change_form_template = "admin/extraction/extraction/change_form.html"
    buttons = (CORRECT, READ)

    @display(description="status", label=_STATUS_LABELS)
    def status_label(self, row: Extraction) -> str:
        """Show what became of it."""
        return row.status

    @admin.display(description="urgency, budget, fit, engagement")
    def scores(self, row: Extraction) -> str:
        """Show the four scores side by side."""
        return " · ".join(str(getattr(row, name) or "-") for name in SCORES)

    @admin.display(description="conversation")
    def conversation_link(self, row: Extraction) -> Any:
        """Link to the conversation."""
        return link(row.conversation, row.conversation.customer_phone)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Extraction]:
        """Read along what a page shows of others."""
        return listing.with_conversation(super().get_queryset(request)).select_related("conversation__agent")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show its fields with what bears them out, and the other readings of the conversation."""
        row: Extraction = context["original"]
        context["fields"] = [_field(row, name) for name in FIELDS]
        context["facts"] = _facts(row)
        readings = Extraction.objects.filter(conversation_id=row.conversation_id)
        context["readings"] = readings.order_by("-extraction_id")[:_MOST_LISTED]
        return super().render_change_form(request, context, *args, **kwargs)


def _field(row: Extraction, name: str) -> dict[str, Any]:
    """Show a field: its value, what bears it out, who corrected it, what else was found."""
    evidence = _member(row.evidence, name)
    suggested = _member(row.suggestions, name)
    return {
        "label": name.removesuffix("_datetime").capitalize(),
        "value": _display(getattr(row, name)),
        "is_changed": name in row.changed,
        "confidence": evidence.get("confidence"),
        "messages": _messages(evidence),
        "corrected": _member(row.corrected, name),
        "suggested": suggested,
        "suggested_by": _messages(suggested),
        "refused": row.refused.get(name),
        "said": row.demo_source_text if name == "demo_datetime" else "",
    }


def _display(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else value


def _member(kept: dict[str, Any], name: str) -> dict[str, Any]:
    member = kept.get(name)
    return member if isinstance(member, dict) else {}


def _messages(evidence: dict[str, Any]) -> list[dict[str, str]]:
    """Return links to the messages that support a value."""
    return [
        {"id": key, "page": reverse("admin:conversations_message_change", args=[quote(key)])}
        for key in evidence.get("messages", [])
    ]


def _facts(row: Extraction) -> list[tuple[str, Any]]:
    conversation = row.conversation
    notified = f"{row.notified_at:%Y-%m-%d %H:%M}" if row.notified_at else "-"
    return [
        ("Conversation", link(conversation)),
        (
            "Customer",
            link(conversation.customer, conversation.customer.name or conversation.customer.address),
        ),
        ("Known as", conversation.customer_phone),
        ("Agent", link(conversation.agent)),
        ("Number", conversation.customer.phone_number_id),
        ("Status", "the lead" if row.is_current else row.status),
        ("Because", row.reason or "-"),
        ("Read", "when it went quiet" if row.trigger == Extraction.Trigger.QUIET else "by hand"),
        ("Up to message", f"{row.upto_sequence_no:,}"),
        ("Notified", notified),
        ("Prompt", f"{row.prompt_id} v{row.prompt_version}" if row.prompt_id else "built-in prompt"),
        ("Model", row.model or "-"),
        ("Tokens", f"{row.tokens_used:,}"),
        ("Began", f"{row.created_at:%Y-%m-%d %H:%M:%S}"),
        ("Ended", f"{row.extracted_at:%Y-%m-%d %H:%M:%S}" if row.status not in Extraction.OPEN else "-"),
        ("Id", row.pk),
    ]


extend(Conversation, buttons=[READ_CONVERSATION])
