"""Addresses of leads."""

from django.urls import path

from extraction.api.exporting import ExportView
from extraction.api.extractions import ExtractionsView, ExtractionView
from extraction.api.reading import ExtractView

_USER = "users/<slug:user_id>"

urlpatterns = [
    path(f"{_USER}/extractions", ExtractionsView.as_view(), name="extractions"),
    # Before any id.
    path(f"{_USER}/extractions/export", ExportView.as_view(), name="extractions-export"),
    path(f"{_USER}/extractions/<slug:extraction_id>", ExtractionView.as_view(), name="extraction"),
    path(
        f"{_USER}/conversations/<slug:conversation_id>/extract",
        ExtractView.as_view(),
        name="conversation-extract",
    ),
]
