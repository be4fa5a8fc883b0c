"""Leads as a file."""

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from billing.api.access import TenantView
from config.lib.api.schema import operation
from extraction import export, listing
from extraction.api.queries import ExtractionFilters
from extraction.api.serializers import TAG

# Its first line.
_EXAMPLE = ",".join(f'"{name}"' for name in export.COLUMNS) + "\r\n"


class CsvRenderer(JSONRenderer):
    """Takes part in negotiating what is answered; what it renders itself are problems only."""

    media_type = "text/csv"
    format = "csv"


class ExportView(TenantView):
    """The leads of a business as CSV."""

    renderer_classes = (CsvRenderer,)

    @operation(
        summary="Export leads",
        description="Exports all leads, or with `history=true` all readings, as CSV in UTF-8 with a header "
        "line. The file is streamed, however long it is. A cell that a spreadsheet would treat "
        "as a formula begins with an apostrophe.",
        tag=TAG,
        operation_id="export_extractions",
        query=ExtractionFilters,
        responses={(200, "text/csv"): OpenApiTypes.STR},
        response_example=_EXAMPLE,
    )
    def get(self, request: Request, user_id: str) -> StreamingHttpResponse:
        """Send them."""
        query = self.read_query(ExtractionFilters)
        extractions = listing.extractions(user_id=user_id, **query)
        name = "extractions" if query.get("history") else "leads"
        return StreamingHttpResponse(
            # Whoever asks with HEAD does not want any.
            export.chunks(extractions) if request.method == "GET" else (),
            content_type="text/csv; charset=utf-8; header=present",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )
