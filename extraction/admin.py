"""The admin's page of leads."""

from typing import Any

from django.contrib import admin

from config.admin.pages import Page, link, since
from extraction.models import Extraction


@admin.register(Extraction)
class ExtractionPage(Page):
    """What was learned from conversations."""

    list_display = (
        *("extraction_id", "name", "company", "email", "intent", "urgency", "budget", "fit", "engagement"),
        *("talk", "extracted_at"),
    )
    list_filter = (since("ext"), "urgency", "fit")
    looked_up_by = ("extraction_id", "conversation_id")
    search_help_text = "Id of a lead or of a conversation"

    @admin.display(description="conversation")
    def talk(self, row: Extraction) -> Any:
        """Link to the conversation, without reading it."""
        return link(row.conversation, row.conversation_id)

    def get_queryset(self, request: Any) -> Any:
        """Read the conversation along."""
        return super().get_queryset(request).select_related("conversation")
