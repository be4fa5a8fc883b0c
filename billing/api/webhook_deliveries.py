"""What was sent to a webhook endpoint, and how to have it sent again."""

from http import HTTPStatus

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.delivery_serializers import (
    EXAMPLE,
    SENT,
    TEST,
    CountSerializer,
    SentWebhookDeliverySerializer,
    SpanInput,
    WebhookDeliveryListQuery,
    WebhookDeliverySerializer,
)
from billing.api.webhook_endpoints import DISABLED, TAG, EndpointView, as_problems
from billing.models import WebhookDelivery
from billing.webhooks import endpoints, redelivery
from billing.webhooks.redelivery import TooManyEventsError
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import NothingInput

_TOO_MANY = (
    "too_many_events",
    f"There are more than {redelivery.MOST:,} events in this period. Choose a shorter one.",
)
_NO_SPAN = ("span_out_of_range", "`until` must be later than `since`.")


class DeliveriesOfEndpointView(EndpointView):
    """Finds deliveries for the views below."""

    def rows(self, endpoint_id: str) -> QuerySet[WebhookDelivery]:
        """
        Return the deliveries of an endpoint of the business.

        :raises ProblemError: 404 if there is no such endpoint
        """
        endpoint = self.endpoint(endpoint_id)
        return WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event", "endpoint")

    def delivery(self, endpoint_id: str, delivery_id: str) -> WebhookDelivery:
        """
        Return one delivery.

        :raises ProblemError: 404 if there is none
        """
        delivery = self.rows(endpoint_id).filter(pk=delivery_id).first()
        if delivery is None:
            raise not_found("delivery_id")
        return delivery


class EndpointTestView(EndpointView):
    """Tries an endpoint out."""

    @operation(
        summary="Send a test to a webhook endpoint",
        description="Sends an event of type `endpoint.test` to this endpoint only. Its delivery shows the "
        "result.",
        tag=TAG,
        operation_id="send_webhook_test",
        request=NothingInput,
        responses={202: WebhookDeliverySerializer},
        errors={409: [DISABLED]},
        request_example={},
        response_example=TEST,
    )
    def post(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Send it."""
        endpoint = self.endpoint(endpoint_id)
        self.read_body(NothingInput)
        with as_problems():
            delivery = endpoints.send_test(endpoint)
        return Response(WebhookDeliverySerializer(delivery).data, status=HTTPStatus.ACCEPTED)


class WebhookDeliveriesView(DeliveriesOfEndpointView):
    """The deliveries of an endpoint."""

    @operation(
        summary="List webhook deliveries",
        description="Lists the deliveries of an endpoint, by the time of their events, newest first. A "
        "page may have fewer entries than `limit`, or none, and still have a `next_cursor`: "
        "continue until it is null.",
        tag=TAG,
        operation_id="list_webhook_deliveries",
        query=WebhookDeliveryListQuery,
        responses={200: page_serializer(WebhookDeliverySerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Return a page."""
        query = self.read_query(WebhookDeliveryListQuery)
        columns = {
            "state": "state",
            "type": "event__type",
            "since": "created_at__gte",
            "until": "created_at__lt",
        }
        filters = {column: query[name] for name, column in columns.items() if name in query}
        rows = self.rows(endpoint_id)
        return self.page(
            rows.filter(**filters),
            query=query,
            order=("-delivery_id",),
            serializer=WebhookDeliverySerializer,
            # No index follows these.
            walked=WebhookDelivery.objects.filter(endpoint_id=endpoint_id) if filters else None,
        )


class WebhookDeliveryView(DeliveriesOfEndpointView):
    """One delivery."""

    @operation(
        summary="Get a webhook delivery",
        description="Includes the body and every attempt.",
        tag=TAG,
        operation_id="get_webhook_delivery",
        responses={200: SentWebhookDeliverySerializer},
        response_example=SENT,
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
        description="Sends it now, even if it was delivered before, and retries it for three days again. A "
        "delivery that is being sent at this moment is left alone.",
        tag=TAG,
        operation_id="redeliver_webhook",
        request=NothingInput,
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
        """Redeliver the event."""
        delivery = self.delivery(endpoint_id, delivery_id)
        self.read_body(NothingInput)
        with as_problems():
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
        """Redeliver the events."""
        endpoint = self.endpoint(endpoint_id)
        span = self.read_body(SpanInput)
        if span["until"] <= span["since"]:
            raise unprocessable(*_NO_SPAN, field="until")
        try:
            with as_problems():
                count = redelivery.span(endpoint, **span)
        except TooManyEventsError as error:
            raise unprocessable(*_TOO_MANY, field="until") from error
        return Response({"count": count}, status=HTTPStatus.ACCEPTED)
