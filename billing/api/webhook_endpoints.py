"""Webhook endpoints of a business: where it is told what happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from billing.models import WebhookEndpoint
from billing.webhooks import addresses, endpoints
from billing.webhooks.endpoints import EndpointNotFoundError, TooManyEndpointsError, UrlNotAllowedError
from config.lib.api import etags
from config.lib.api.problems import conflict, not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import (
    ChoiceField,
    FlagField,
    IntegerField,
    ListField,
    PageQuery,
    StrictSerializer,
    TextField,
)

TAG = "Webhook endpoints"
EXAMPLE: dict[str, Any] = {
    "endpoint_id": "whe_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "url": "https://bakery.example/hooks",
    "description": "CRM",
    "types": ["lead.created", "lead.updated"],
    "is_enabled": True,
    "disabled_at": None,
    "disabled_reason": "",
    "failing_since": None,
    "previous_secret_expires_at": None,
    "created_at": "2026-11-24T12:00:00Z",
}
_NEW_EXAMPLE = {**EXAMPLE, "secret": "whsec_<44 characters>"}
_ROTATED = {**_NEW_EXAMPLE, "previous_secret_expires_at": "2026-11-25T12:00:00Z"}
_TOO_MANY = ("too_many_endpoints", f"You already have {endpoints.MOST} endpoints. Delete one first.")
_BAD_URLS = [addresses.INVALID, addresses.HTTPS_REQUIRED, addresses.NOT_PUBLIC]
_DAY = 24 * 60 * 60


class WebhookEndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    """An endpoint, without its secrets."""

    types = serializers.ListField(
        child=serializers.ChoiceField(choices=endpoints.TYPES),
        read_only=True,
        help_text="The types of events it receives; empty = all.",
    )
    is_enabled = serializers.SerializerMethodField(help_text="false = nothing is sent to it.")
    failing_since = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Every attempt since then failed; null = no failures."
    )

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = (
            *("endpoint_id", "url", "description", "types", "is_enabled", "disabled_at"),
            *("disabled_reason", "failing_since", "previous_secret_expires_at", "created_at"),
        )
        read_only_fields = fields

    def get_is_enabled(self, row: WebhookEndpoint) -> bool:
        """Return whether events are sent to the endpoint."""
        return row.disabled_at is None


class NewWebhookEndpointSerializer(WebhookEndpointSerializer):
    """An endpoint whose secret was made just now."""

    secret = serializers.CharField(help_text="Signs the events. It is shown only once.")

    class Meta(WebhookEndpointSerializer.Meta):
        fields = (*WebhookEndpointSerializer.Meta.fields, "secret")
        read_only_fields = fields


def types_field(help_text: str) -> ListField:
    """Create a field for some types of events."""
    return ListField(
        child=ChoiceField(choices=endpoints.TYPES),
        required=False,
        max_length=len(endpoints.TYPES),
        help_text=help_text,
    )


class WebhookEndpointInput(StrictSerializer):
    """What can be said of a new endpoint."""

    url = TextField(
        max_length=addresses.MOST_CHARACTERS,
        trim_whitespace=False,
        help_text="The URL that events are posted to: `https://` and a public host, in ASCII, without user "
        "name and `#`.",
    )
    types = types_field(
        "The types of events it receives; empty or left out = all, including types that are added later."
    )
    description = TextField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="A name for people; customers do not see it.",
    )


class WebhookEndpointChangesInput(WebhookEndpointInput):
    """What can be changed of an endpoint."""

    is_enabled = FlagField(
        required=False,
        help_text="`false` = no events are sent or queued; `true` also ends a pause after failures.",
    )


class SecretRotationInput(StrictSerializer):
    """How a secret is replaced."""

    grace_seconds = IntegerField(
        min_value=0,
        max_value=int(endpoints.LONGEST_GRACE.total_seconds()),
        default=_DAY,
        help_text="How long events also carry a signature of the old secret, in seconds.",
    )


class EndpointView(TenantView):
    """Finds endpoints for the views below."""

    def endpoint(self, endpoint_id: str, *, to_change: bool = False) -> WebhookEndpoint:
        """
        Return a live endpoint of the business, with its row locked if it is to be changed.

        :raises ProblemError: 404 if there is none
        """
        rows = WebhookEndpoint.objects.of(self.user_id).live()
        endpoint = (rows.select_for_update(no_key=True) if to_change else rows).filter(pk=endpoint_id).first()
        if endpoint is None:
            raise not_found("endpoint_id")
        return endpoint


class WebhookEndpointsView(EndpointView):
    """The endpoints of a business."""

    @operation(
        summary="List webhook endpoints",
        description="Newest first, without deleted ones. Secrets are never shown.",
        tag=TAG,
        operation_id="list_webhook_endpoints",
        query=PageQuery,
        responses={200: page_serializer(WebhookEndpointSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        return self.page(
            WebhookEndpoint.objects.of(user_id).live(),
            query=self.read_query(PageQuery),
            order=("-endpoint_id",),
            serializer=WebhookEndpointSerializer,
        )

    @operation(
        summary="Create a webhook endpoint",
        description=f"It is told what happens from now on. The secret is shown in this answer only. A "
        f"business has at most {endpoints.MOST}.",
        tag=TAG,
        operation_id="create_webhook_endpoint",
        request=WebhookEndpointInput,
        responses={201: NewWebhookEndpointSerializer},
        errors={422: [*_BAD_URLS, _TOO_MANY]},
        request_example={
            "url": "https://bakery.example/hooks",
            "types": ["lead.created", "lead.updated"],
            "description": "CRM",
        },
        shows_secret=True,
        response_example=_NEW_EXAMPLE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Make one."""
        with as_problems():
            endpoint, secret = endpoints.create(user_id=user_id, **self.read_body(WebhookEndpointInput))
        representation = WebhookEndpointSerializer(endpoint).data
        location = f"/users/{user_id}/webhook_endpoints/{endpoint.endpoint_id}"
        return Response(
            {**representation, "secret": secret},
            status=HTTPStatus.CREATED,
            headers={"Location": location, "ETag": etags.of(representation)},
        )


class WebhookEndpointView(EndpointView):
    """One endpoint."""

    @operation(
        summary="Get a webhook endpoint",
        description="Returns the endpoint without its secret.",
        tag=TAG,
        operation_id="get_webhook_endpoint",
        responses={200: WebhookEndpointSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Answer it."""
        return etags.tagged(WebhookEndpointSerializer(self.endpoint(endpoint_id)).data)

    @operation(
        summary="Change a webhook endpoint",
        description="Changes only the fields you send. Switching it on again clears its failures and sends "
        "the waiting events. Redeliver events from the time it was off if you want them.",
        tag=TAG,
        operation_id="update_webhook_endpoint",
        request=WebhookEndpointChangesInput(partial=True),
        responses={200: WebhookEndpointSerializer},
        errors={422: _BAD_URLS},
        if_match=True,
        request_example={"types": ["lead.created"], "is_enabled": True},
        response_example=EXAMPLE,
    )
    @transaction.atomic
    def patch(self, request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Change it."""
        endpoint = self.endpoint(endpoint_id, to_change=True)
        etags.check(request, WebhookEndpointSerializer(endpoint).data)
        with as_problems():
            endpoints.change(endpoint, **self.read_body(WebhookEndpointChangesInput, partial=True))
        return etags.tagged(WebhookEndpointSerializer(endpoint).data)

    @operation(
        summary="Delete a webhook endpoint",
        description="No more events are sent to it, and its secrets are erased.",
        tag=TAG,
        operation_id="delete_webhook_endpoint",
        responses={204: None},
    )
    def delete(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Delete it."""
        with as_problems():
            endpoints.remove(self.endpoint(endpoint_id))
        return Response(status=HTTPStatus.NO_CONTENT)


class SecretRotationView(EndpointView):
    """A secret in place of another."""

    @operation(
        summary="Rotate a webhook endpoint's secret",
        description="For `grace_seconds`, each event has two signatures, one per secret, so that you can "
        "roll out the new one without refusing events. Only this response shows the secret.",
        tag=TAG,
        operation_id="rotate_webhook_secret",
        request=SecretRotationInput,
        responses={200: NewWebhookEndpointSerializer},
        request_example={"grace_seconds": _DAY},
        shows_secret=True,
        response_example=_ROTATED,
    )
    def post(self, _request: Request, user_id: str, endpoint_id: str) -> Response:  # noqa: ARG002
        """Rotate it."""
        endpoint = self.endpoint(endpoint_id)
        grace = timedelta(seconds=self.read_body(SecretRotationInput)["grace_seconds"])
        with as_problems():
            secret = endpoints.rotate_secret(endpoint, grace)
        return Response({**WebhookEndpointSerializer(endpoint).data, "secret": secret})


@contextmanager
def as_problems() -> Iterator[None]:
    """Translate domain errors into problems."""
    try:
        yield
    except UrlNotAllowedError as error:
        raise unprocessable(error.code, str(error), field="url") from error
    except TooManyEndpointsError as error:
        raise unprocessable(*_TOO_MANY) from error
    except EndpointNotFoundError as error:
        raise not_found("endpoint_id") from error
    except endpoints.EndpointDisabledError as error:
        raise conflict(*DISABLED) from error


DISABLED = ("endpoint_disabled", "The endpoint is switched off. Switch it on first.")
