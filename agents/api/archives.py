"""Archives: the record of who answered before."""

from typing import Any

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import ConversationArchive
from billing.api.access import TenantView
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import PageQuery

EXAMPLE: dict[str, Any] = {
    "archive_id": "arc_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "109876543210987",
    "old_agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "new_agent_id": None,
    "archived_at": "2026-11-24T12:00:00Z",
    "closed_at": "2026-11-24T12:00:01Z",
}


class ArchiveSerializer(serializers.ModelSerializer[ConversationArchive]):
    """An agent came to a number or left it."""

    phone_number_id = serializers.CharField(read_only=True, help_text="The phone number.")
    old_agent_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The agent that answered before; null = none."
    )
    new_agent_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The agent that has answered since; null = none."
    )

    class Meta:
        model = ConversationArchive
        fields: tuple[str, ...] = (
            *("archive_id", "phone_number_id", "old_agent_id", "new_agent_id", "archived_at", "closed_at"),
        )
        read_only_fields = fields


class ArchiveListQuery(PageQuery):
    """What the list of archives can be narrowed to."""

    agent_id = serializers.CharField(
        required=False, max_length=50, help_text="Only changes to or from this agent."
    )
    phone_number_id = serializers.CharField(required=False, max_length=50, help_text="Only this number.")


class ArchivesView(TenantView):
    """The record of who answered on the numbers of a user."""

    @operation(
        summary="List archives",
        description="One entry for each time an agent was put on a number, moved or taken off it: which "
        "agent answered before and after, and when the conversations of the former agent were "
        "closed. Newest first, including deleted agents and numbers.",
        tag="Agents",
        operation_id="list_archives",
        query=ArchiveListQuery,
        responses={200: page_serializer(ArchiveSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(ArchiveListQuery)
        rows = ConversationArchive.objects.of(user_id)
        if agent_id := query.get("agent_id"):
            rows = rows.filter(Q(old_agent_id=agent_id) | Q(new_agent_id=agent_id))
        if phone_number_id := query.get("phone_number_id"):
            rows = rows.filter(phone_number_id=phone_number_id)
        # Sorted, not read in order from an index: a business has few.
        return self.page(
            rows, query=query, order=("-archived_at", "-archive_id"), serializer=ArchiveSerializer
        )
