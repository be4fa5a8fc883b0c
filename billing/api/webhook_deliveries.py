"""What was sent to a webhook endpoint, and how to have it sent again."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.webhook_endpoints import DISABLED, TAG, EndpointView, told, types_field
from billing.models import Event, WebhookDelivery
from billing.webhooks import endpoints, payload, redelivery
from billing.webhooks.redelivery import TooManyEventsError
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation, page_of
from config.lib.api.serializers import ChoiceField, FlagField, PageQuery, StrictSerializer, TimestampField

_ATTEMPT: dict[str, Any] = {"at": "2026-11-24T12:03:01Z", "status": 500, "milliseconds": 312, "error": ""}
EXAMPLE: dict[str, Any] = {
    "delivery_id": "whd_01KB2T7M3G5Q8R9S0T1V2W3X4Y_1V2W3X4Y",
    "event_id": "evt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "type": "lead.created",
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "state": "pending",
    "attempts": 1,
    "next_attempt_at": "2026-11-24T12:03:06Z",
    "last_attempt": _ATTEMPT,
    "created_at": "2026-11-24T12:03:00Z",
    "ended_at": None,
}
_TEST: dict[str, Any] = {
    **EXAMPLE,
    "type": "endpoint.test",
    "conversation_id": "",
    "attempts": 0,
    "last_attempt": None,
}
_TOO_MANY = (
    "too_many_events",
    f"There are more than {redelivery.MOST:,} events in this span of time; take a shorter one.",
)
_NO_SPAN = ("span_out_of_range", "`until` must come after `since`.")


class AttemptSerializer(serializers.Serializer[Any]):
    """One try to deliver."""

    at = serializers.DateTimeField(help_text="When it was made.")
    status = serializers.IntegerField(
        allow_null=True, help_text="The status that was answered; null = there was no answer."
    )
    milliseconds = serializers.IntegerField(help_text="How long that took.")
    error = serializers.CharField(allow_blank=True, help_text="Why there was none; else empty.")


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """An event on its way to an endpoint."""

    event_id = serializers.CharField(
        read_only=True, help_text="Its event; sent as `webhook-id`, the same at every attempt."
    )
    type = serializers.ChoiceField(
        source="event.type", choices=Event.Type.values, read_only=True, help_text="The event's type."
    )
    conversation_id = serializers.CharField(
        read_only=True, help_text="The conversation it is about; empty = none."
    )
    state = serializers.ChoiceField(
        choices=WebhookDelivery.State.values,
        read_only=True,
        help_text="`pending` = it is tried until it is taken, `failed` = it was given up.",
    )
    attempts = serializers.IntegerField(read_only=True, help_text="How often it was tried since it was wanted.")
    next_attempt_at = serializers.SerializerMethodField(help_text="While it is pending; else null.")
    last_attempt = serializers.SerializerMethodField(help_text="The newest attempt; null = none yet.")
    ended_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was taken or given up."
    )

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = (
            *("delivery_id", "event_id", "type", "conversation_id", "state", "attempts"),
            *("next_attempt_at", "last_attempt", "created_at", "ended_at"),
        )
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, row: WebhookDelivery) -> str | None:
        """Give when it is tried next."""
        if row.state != WebhookDelivery.State.PENDING:
            return None
        shown: str | None = serializers.DateTimeField().to_representation(row.due_at)
        return shown

    @extend_schema_field(AttemptSerializer(allow_null=True))
    def get_last_attempt(self, row: WebhookDelivery) -> dict[str, Any] | None:
        """Give the newest attempt."""
        return row.log[-1] if row.log else None


class SentWebhookDeliverySerializer(WebhookDeliverySerializer):
    """A delivery with what is sent, and every attempt."""

    log = AttemptSerializer(many=True, read_only=True, help_text="Every attempt, the oldest first.")
    payload = serializers.SerializerMethodField(help_text="The body as it is sent.")

    class Meta(WebhookDeliverySerializer.Meta):
        fields = (*WebhookDeliverySerializer.Meta.fields, "log", "payload")
        read_only_fields = fields
