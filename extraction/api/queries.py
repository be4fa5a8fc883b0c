"""What lists of leads, and their export, can be narrowed to."""

from rest_framework import serializers

from config.lib.api.serializers import (
    ChoiceField,
    PageQuery,
    QueryFlagField,
    StrictSerializer,
    TimestampField,
)
from conversations.api.customer_serializers import customer_id_filter, external_id_filter
from extraction.models import Extraction


def _least(what: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, min_value=1, max_value=3, help_text=f"{what} is at least this."
    )


class ExtractionFilters(StrictSerializer):
    """What leads can be narrowed to."""

    history = QueryFlagField(
        required=False, help_text="`true` = every reading, whatever its result, not only leads."
    )
    conversation_id = serializers.CharField(
        required=False, max_length=50, help_text="Only this conversation."
    )
    agent_id = serializers.CharField(
        required=False, max_length=50, help_text="Only conversations with this agent."
    )
    phone_number_id = serializers.CharField(
        required=False, max_length=50, help_text="Only conversations on this number."
    )
    customer_id = customer_id_filter()
    external_id = external_id_filter()
    status = ChoiceField(
        required=False,
        choices=Extraction.Status.values,
        help_text="The result of the reading. Useful with `history`, since all leads have `succeeded`.",
    )
    min_urgency = _least("`urgency`")
    min_budget = _least("`budget`")
    min_fit = _least("`fit`")
    min_engagement = _least("`engagement`")
    has_email = QueryFlagField(
        required=False, help_text="Only with (`true`) or only without an e-mail address."
    )
    has_phone = QueryFlagField(required=False, help_text="Only with (`true`) or only without a phone number.")
    has_demo = QueryFlagField(
        required=False, help_text="Only with (`true`) or only without the time of a demo."
    )
    since = TimestampField(required=False, help_text="`extracted_at` at or after this time.")
    until = TimestampField(required=False, help_text="`extracted_at` before this time.")


class ExtractionListQuery(ExtractionFilters, PageQuery):
    """The same, a page at a time."""
