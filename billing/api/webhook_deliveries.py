"""What was sent to a webhook endpoint, and how to have it sent again."""

from http import HTTPStatus
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.webhook_endpoints import DISABLED, TAG, EndpointView, told, types_field
from billing.models import Event, WebhookDelivery
from billing.webhooks import endpoints, payload, redelivery
from billing.webhooks.redelivery import TooManyEventsError
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation, page_of
from config.lib.api.serializers import FlagField, PageQuery, StrictSerializer, TimestampField

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
        source="event.type", choices=Event.Type.choices, read_only=True, help_text="The event's type."
    )
    conversation_id = serializers.CharField(
        read_only=True, help_text="The conversation it is about; empty = none."
    )
    state = serializers.ChoiceField(
        choices=WebhookDelivery.State.choices,
        read_only=True,
        help_text="`pending` = it is tried until it is taken, `failed` = it was given up.",
    )
    attempts = serializers.IntegerField(
        read_only=True, help_text="How often it was tried since it was wanted."
    )
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
        return AttemptSerializer(row.log[-1]).data if row.log else None


class SentWebhookDeliverySerializer(WebhookDeliverySerializer):
    """A delivery with what is sent, and every attempt."""

    log = AttemptSerializer(many=True, read_only=True, help_text="Every attempt, the oldest first.")
    payload = serializers.SerializerMethodField(help_text="The body as it is sent.")

    class Meta(WebhookDeliverySerializer.Meta):
        fields = (*WebhookDeliverySerializer.Meta.fields, "log", "payload")
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_payload(self, row: WebhookDelivery) -> dict[str, Any]:
        """Give the body."""
        return payload.of(row.event)


_SENT: dict[str, Any] = {
    **EXAMPLE,
    "log": [_ATTEMPT],
    "payload": {
        "type": "lead.created",
        "timestamp": "2026-11-24T12:03:00Z",
        "data": {"extraction_id": "ext_01KB2T7M3G5Q8R9S0T1V2W3X4Y"},
    },
}


class WebhookDeliveryListQuery(PageQuery):
    """What the list of deliveries can be narrowed to."""

    state = serializers.ChoiceField(
        choices=WebhookDelivery.State.choices, required=False, help_text="In this state."
    )
    type = serializers.ChoiceField(choices=Event.Type.choices, required=False, help_text="Of this type.")
    since = TimestampField(required=False, help_text="Made at this moment or later.")
    until = TimestampField(required=False, help_text="Made before this moment.")


class SpanInput(StrictSerializer):
    """Which events are sent once more."""

    since = TimestampField(help_text="What happened at this moment or later.")
    until = TimestampField(help_text="What happened before this moment.")
    types = types_field("Only events of these types; empty or not given = all the endpoint is told.")
    only_failed = FlagField(required=False, help_text="Only what was tried and given up.")


class CountSerializer(serializers.Serializer[Any]):
    """How many were meant."""

    count = serializers.IntegerField(help_text="So many are sent; what waited already is not counted.")


class NothingAskedInput(StrictSerializer):
    """An empty object."""


class DeliveriesOfEndpointView(EndpointView):
    """Finds deliveries for the views below."""

    def rows(self, endpoint_id: str) -> QuerySet[WebhookDelivery]:
        """
        Give the deliveries of an endpoint of the business.

        :raises ProblemError: 404 if there is no such endpoint
        """
        endpoint = self.found(endpoint_id)
        return WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event", "endpoint")

    def delivery(self, endpoint_id: str, delivery_id: str) -> WebhookDelivery:
        """
        Give one of them.

        :raises ProblemError: 404 if there is none
        """
        found = self.rows(endpoint_id).filter(pk=delivery_id).first()
        if found is None:
            raise not_found()
        return found


class EndpointTestView(EndpointView):
    """Tries an endpoint out."""

    @operation(
        summary="Send a test to a webhook endpoint",
        description="An event of type `endpoint.test` is sent to this endpoint alone; its delivery tells "
        "what came of it.",
        tag=TAG,
        operation_id="send_webhook_test",
        request=NothingAskedInput,
        responses={202: WebhookDeliverySerializer},
        errors={409: [DISABLED]},
        request_example={},
        response_example=_TEST,
    )
    def post(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Send it."""
        endpoint = self.found(endpoint_id)
        self.read_body(NothingAskedInput)
        with told():
            delivery = endpoints.send_test(endpoint)
        return Response(WebhookDeliverySerializer(delivery).data, status=HTTPStatus.ACCEPTED)


class WebhookDeliveriesView(DeliveriesOfEndpointView):
    """The deliveries of an endpoint."""

    @operation(
        summary="List webhook deliveries",
        description="What was and is to be sent to an endpoint, newest first by when it happened. A page may "
        "hold fewer entries than `limit`, or none, and still have a `next_cursor`: go on until it is null.",
        tag=TAG,
        operation_id="list_webhook_deliveries",
        query=WebhookDeliveryListQuery,
        responses={200: page_of(WebhookDeliverySerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Answer a page."""
        query = self.read_query(WebhookDeliveryListQuery)
        columns = {
            "state": "state",
            "type": "event__type",
            "since": "created_at__gte",
            "until": "created_at__lt",
        }
        asked = {column: query[name] for name, column in columns.items() if name in query}
        rows = self.rows(endpoint_id)
        return self.page(
            rows.filter(**asked),
            query=query,
            order=("-delivery_id",),
            serializer=WebhookDeliverySerializer,
            # No index follows these.
            walked=WebhookDelivery.objects.filter(endpoint_id=endpoint_id) if asked else None,
        )


class WebhookDeliveryView(DeliveriesOfEndpointView):
    """One delivery."""

    @operation(
        summary="Get a webhook delivery",
        description="Also what is sent, and every attempt.",
        tag=TAG,
        operation_id="get_webhook_delivery",
        responses={200: SentWebhookDeliverySerializer},
        response_example=_SENT,
    )
    def get(
        self,
        _request: Request,
        user_id: str,  # noqa: ARG002
        endpoint_id: str,
        delivery_id: str,
    ) -> Response:
        """Answer it."""
        return Response(SentWebhookDeliverySerializer(self.delivery(endpoint_id, delivery_id)).data)


class RedeliveryView(DeliveriesOfEndpointView):
    """An event is sent once more."""

    @operation(
        summary="Redeliver an event",
        description="It is sent now, whatever came of it before, and tried for three days again. One that is "
        "being sent at this moment is left alone.",
        tag=TAG,
        operation_id="redeliver_webhook",
        request=NothingAskedInput,
        responses={202: WebhookDeliverySerializer},
        errors={409: [DISABLED]},
        request_example={},
        response_example={**EXAMPLE, "attempts": 0},
    )
    def post(
        self,
        _request: Request,
        user_id: str,  # noqa: ARG002
        endpoint_id: str,
        delivery_id: str,
    ) -> Response:
        """Have it sent."""
        delivery = self.delivery(endpoint_id, delivery_id)
        self.read_body(NothingAskedInput)
        with told():
            redelivery.again(delivery)
        return Response(WebhookDeliverySerializer(delivery).data, status=HTTPStatus.ACCEPTED)


class SpanRedeliveryView(EndpointView):
    """Events of a span of time are sent once more."""

    @operation(
        summary="Redeliver events of a span of time",
        description="Also those that came while the endpoint was switched off or before it was made, as far "
        "as they were kept. What waits already is left alone. It takes at most "
        f"{redelivery.MOST:,} events.",
        tag=TAG,
        operation_id="redeliver_webhooks",
        request=SpanInput,
        responses={202: CountSerializer},
        errors={409: [DISABLED], 422: [_NO_SPAN, _TOO_MANY]},
        request_example={
            "since": "2026-11-23T00:00:00Z",
            "until": "2026-11-24T00:00:00Z",
            "only_failed": True,
        },
        response_example={"count": 12},
    )
    def post(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Have them sent."""
        endpoint = self.found(endpoint_id)
        asked = self.read_body(SpanInput)
        if asked["until"] <= asked["since"]:
            raise unprocessable(*_NO_SPAN, field="until")
        try:
            with told():
                count = redelivery.span(endpoint, **asked)
        except TooManyEventsError as error:
            raise unprocessable(*_TOO_MANY, field="until") from error
        return Response({"count": count}, status=HTTPStatus.ACCEPTED)
