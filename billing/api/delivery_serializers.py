"""How deliveries of events are shown and asked for."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.webhook_endpoints import types_field
from billing.models import Event, WebhookDelivery
from billing.webhooks import payload
from config.lib.api.serializers import (
    ChoiceField,
    FlagField,
    PageQuery,
    StoredTimestampField,
    StrictSerializer,
    TimestampField,
)

ATTEMPT: dict[str, Any] = {"at": "2026-11-24T12:03:01Z", "status": 500, "milliseconds": 312, "error": ""}
EXAMPLE: dict[str, Any] = {
    "delivery_id": "whd_01KB2T7M3G5Q8R9S0T1V2W3X4Y_1V2W3X4Y",
    "event_id": "evt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "type": "lead.created",
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "state": "pending",
    "attempts": 1,
    "next_attempt_at": "2026-11-24T12:03:06Z",
    "last_attempt": ATTEMPT,
    "created_at": "2026-11-24T12:03:00Z",
    "ended_at": None,
}
TEST: dict[str, Any] = {
    **EXAMPLE,
    "type": "endpoint.test",
    "conversation_id": "",
    "attempts": 0,
    "last_attempt": None,
}


class AttemptSerializer(serializers.Serializer[Any]):
    """One try to deliver."""

    at = StoredTimestampField(help_text="When it was sent.")
    status = serializers.IntegerField(
        allow_null=True, help_text="The HTTP status of the response; null = no response."
    )
    milliseconds = serializers.IntegerField(help_text="How long the response took.")
    error = serializers.CharField(allow_blank=True, help_text="Why there was no response; otherwise empty.")


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """An event on its way to an endpoint."""

    event_id = serializers.CharField(
        read_only=True, help_text="Its event; sent as `webhook-id`, the same at every attempt."
    )
    type = serializers.ChoiceField(
        source="event.type", choices=Event.Type.choices, read_only=True, help_text="The event's type."
    )
    conversation_id = serializers.CharField(
        read_only=True, help_text="The conversation that the event is about; empty = none."
    )
    state = serializers.ChoiceField(
        choices=WebhookDelivery.State.choices,
        read_only=True,
        help_text="`pending` = it is retried until it is accepted; `failed` = all attempts failed.",
    )
    attempts = serializers.IntegerField(
        read_only=True, help_text="Attempts since it was created or last redelivered."
    )
    next_attempt_at = serializers.SerializerMethodField(
        help_text="The time of the next attempt while it is pending; otherwise null."
    )
    last_attempt = serializers.SerializerMethodField(help_text="The newest attempt; null = none yet.")
    ended_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was accepted, or when the last attempt failed."
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
        """Return the time of the next attempt."""
        if row.state != WebhookDelivery.State.PENDING:
            return None
        next_attempt: str | None = serializers.DateTimeField().to_representation(row.due_at)
        return next_attempt

    @extend_schema_field(AttemptSerializer(allow_null=True))
    def get_last_attempt(self, row: WebhookDelivery) -> dict[str, Any] | None:
        """Return the newest attempt."""
        return AttemptSerializer(row.log[-1]).data if row.log else None


class SentWebhookDeliverySerializer(WebhookDeliverySerializer):
    """A delivery with what is sent, and every attempt."""

    log = AttemptSerializer(many=True, read_only=True, help_text="Every attempt, oldest first.")
    payload = serializers.SerializerMethodField(help_text="The body as it is sent.")

    class Meta(WebhookDeliverySerializer.Meta):
        fields = (*WebhookDeliverySerializer.Meta.fields, "log", "payload")
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_payload(self, row: WebhookDelivery) -> dict[str, Any]:
        """Return the body."""
        return payload.of(row.event)


SENT: dict[str, Any] = {
    **EXAMPLE,
    "log": [ATTEMPT],
    "payload": {
        "type": "lead.created",
        "timestamp": "2026-11-24T12:03:00Z",
        "data": {"extraction_id": "ext_01KB2T7M3G5Q8R9S0T1V2W3X4Y"},
    },
}


class WebhookDeliveryListQuery(PageQuery):
    """What the list of deliveries can be narrowed to."""

    state = ChoiceField(choices=WebhookDelivery.State.choices, required=False, help_text="In this state.")
    type = ChoiceField(choices=Event.Type.choices, required=False, help_text="Of this type.")
    since = TimestampField(required=False, help_text="Created at or after this time.")
    until = TimestampField(required=False, help_text="Created before this time.")


class SpanInput(StrictSerializer):
    """Which events are sent once more."""

    since = TimestampField(help_text="Events at or after this time.")
    until = TimestampField(help_text="Events before this time.")
    types = types_field(
        "Only events of these types; empty or left out = all types that the endpoint receives."
    )
    only_failed = FlagField(required=False, help_text="Only deliveries that failed.")


class CountSerializer(serializers.Serializer[Any]):
    """How many were meant."""

    count = serializers.IntegerField(
        help_text="How many are sent; those that were already waiting are not counted."
    )
