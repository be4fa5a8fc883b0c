"""API keys of a user."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import keys
from billing.api.access import TenantView
from billing.keys import KeyNotFoundError
from billing.models import ApiKey
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation, page_of
from config.lib.api.serializers import IntegerField, PageQuery, StrictSerializer, TextField, TimestampField

TAG = "API keys"
EXAMPLE: dict[str, Any] = {
    "prefix": "9f2c41ab",
    "name": "crm",
    "created_at": "2026-11-24T12:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-11-24T12:03:00Z",
}
SHOWN_ONCE = {"key": "mcak_9f2c41ab_<43 characters>", **EXAMPLE, "last_used_at": None}
LONGEST_GRACE = timedelta(days=7)


class KeyInfoSerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            *("prefix", "name", "created_at", "expires_at", "revoked_at", "last_used_at"),
        )
        read_only_fields = fields


class KeySerializer(KeyInfoSerializer):
    """A key that was made just now."""

    key = serializers.CharField(help_text="The key itself. It is shown this once and kept nowhere.")

    class Meta(KeyInfoSerializer.Meta):
        fields = ("key", *KeyInfoSerializer.Meta.fields)
        read_only_fields = fields


def shown_once(row: ApiKey, key: str) -> dict[str, Any]:
    """Show a new key as `KeySerializer` says."""
    return {"key": key, **KeyInfoSerializer(row).data}


class KeyInput(StrictSerializer):
    """What can be said of a new key."""

    name = TextField(max_length=100, help_text="What it is for.")
    expires_at = TimestampField(required=False, allow_null=True, help_text="From then on it is refused.")


class RotationInput(StrictSerializer):
    """How a key is replaced."""

    grace_seconds = IntegerField(
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds()),
        default=3600,
        help_text="How long the old key works on, in seconds.",
    )


class KeysView(TenantView):
    """The keys of a user."""

    @operation(
        summary="List API keys",
        description="Also those that are revoked or expired; never the keys themselves.",
        tag=TAG,
        operation_id="list_api_keys",
        query=PageQuery,
        responses={200: page_of(KeyInfoSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Answer a page."""
        rows = ApiKey.objects.filter(user_id=user_id)
        return self.page(
            rows,
            query=self.read_query(PageQuery),
            order=("-created_at", "-prefix"),
            serializer=KeyInfoSerializer,
        )

    @operation(
        summary="Create an API key",
        description="The key is shown in this answer only.",
        tag=TAG,
        operation_id="create_api_key",
        request=KeyInput,
        responses={201: KeySerializer},
        errors={422: [("expires_in_the_past", "expires_at is over already.")]},
        request_example={"name": "crm"},
        response_example=SHOWN_ONCE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Make one."""
        asked = self.read_body(KeyInput)
        expires_at = asked.get("expires_at")
        if expires_at and expires_at <= timezone.now():
            raise unprocessable("expires_in_the_past", "expires_at is over already.", field="expires_at")
        row, key = keys.create(user_id=user_id, name=asked["name"], expires_at=expires_at)
        return _shown(row, key)


class KeyView(TenantView):
    """One key."""

    @operation(
        summary="Revoke an API key",
        description="It is refused from the next request on.",
        tag=TAG,
        operation_id="revoke_api_key",
        responses={204: None},
    )
    def delete(self, _request: Request, user_id: str, prefix: str) -> Response:
        """Revoke it."""
        try:
            keys.revoke(user_id=user_id, prefix=prefix)
        except KeyNotFoundError as error:
            raise not_found() from error
        return Response(status=HTTPStatus.NO_CONTENT)


class KeyRotationView(TenantView):
    """A key in place of another."""

    @operation(
        summary="Rotate an API key",
        description="Makes a new key of the same name. The old one works on for `grace_seconds`, so that no "
        "request is refused while the new one is rolled out.",
        tag=TAG,
        operation_id="rotate_api_key",
        request=RotationInput,
        responses={201: KeySerializer},
        request_example={"grace_seconds": 3600},
        response_example=SHOWN_ONCE,
    )
    def post(self, _request: Request, user_id: str, prefix: str) -> Response:
        """Rotate it."""
        grace = timedelta(seconds=self.read_body(RotationInput)["grace_seconds"])
        try:
            row, key = keys.rotate(user_id=user_id, prefix=prefix, grace=grace)
        except KeyNotFoundError as error:
            raise not_found() from error
        return _shown(row, key)


def _shown(row: ApiKey, key: str) -> Response:
    return Response(shown_once(row, key), status=HTTPStatus.CREATED)
