"""API keys of a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import keys
from billing.api.access import TenantView
from billing.key_rights import RightsExceededError, UnknownNumberError
from billing.keys import KeyEndedError, KeyNotFoundError
from billing.models import ApiKey
from config.lib.api.problems import conflict, not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import (
    ChoiceField,
    IntegerField,
    ListField,
    PageQuery,
    QueryFlagField,
    StrictSerializer,
    TextField,
    TimestampField,
)

TAG = "API keys"
EXAMPLE: dict[str, Any] = {
    "prefix": "9f2c41ab",
    "name": "crm",
    "scope": "write",
    "phone_number_ids": ["109876543210987"],
    "created_by": "key:51d0c7e2",
    "parent": "51d0c7e2",
    "replaces": None,
    "created_at": "2026-11-24T12:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": "2026-11-24T12:03:00Z",
}
KEY_EXAMPLE = {"key": "mcak_9f2c41ab_<43 characters>", **EXAMPLE, "last_used_at": None}
LONGEST_GRACE = timedelta(days=7)
MOST_NUMBERS = 100
_IN_THE_PAST = ("expires_in_the_past", "`expires_at` is in the past. Send a time in the future.")
_EXCEEDED = (
    "rights_exceeded",
    "A key cannot have more rights, or expire later, than the key that creates it or that it replaces.",
)
_NUMBER_NOT_FOUND = ("phone_number_not_found", "You have no phone number with this id.")
_ENDED = {
    "api_key_rotated": "The key was already rotated. Rotate the key that replaced it.",
    "api_key_revoked": "The key was revoked. Create a new one.",
    "api_key_expired": "The key has expired. Create a new one.",
}


class KeyInfoSerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    scope = serializers.ChoiceField(
        choices=ApiKey.Scope.values,
        read_only=True,
        help_text="`read` = every GET; `write` = also every change; `full` = also API keys.",
    )
    phone_number_ids = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        allow_null=True,
        help_text="The only phone numbers it can access; null = all, and everything that belongs to the "
        "whole business.",
    )
    created_by = serializers.CharField(
        read_only=True, help_text="The key, member of staff or command that created it; empty = not known."
    )
    parent = serializers.CharField(  # type: ignore[assignment]  # declared fields are no attributes
        source="parent_id", read_only=True, allow_null=True, help_text="The key that created it; null = none."
    )
    replaces = serializers.CharField(
        source="replaces_id",
        read_only=True,
        allow_null=True,
        help_text="The key that it replaced; null = it did not replace one.",
    )

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            *("prefix", "name", "scope", "phone_number_ids", "created_by", "parent", "replaces"),
            *("created_at", "expires_at", "revoked_at", "last_used_at"),
        )
        read_only_fields = fields


class KeySerializer(KeyInfoSerializer):
    """A key that was made just now."""

    key = serializers.CharField(help_text="The key itself. It is shown only once and stored nowhere.")

    class Meta(KeyInfoSerializer.Meta):
        fields = ("key", *KeyInfoSerializer.Meta.fields)
        read_only_fields = fields


def with_key(row: ApiKey, key: str) -> dict[str, Any]:
    """Show a new key as `KeySerializer` says."""
    return {"key": key, **KeyInfoSerializer(row).data}


class KeyInput(StrictSerializer):
    """What can be said of a new key."""

    name = TextField(max_length=100, help_text="What the key is for.")
    expires_at = TimestampField(
        required=False,
        allow_null=True,
        help_text="From this time on it is refused; null or left out = when the key that creates it expires.",
    )
    scope = ChoiceField(
        choices=ApiKey.Scope.values,
        default=ApiKey.Scope.FULL.value,
        help_text="`read` = every GET; `write` = also every change; `full` = also API keys.",
    )
    phone_number_ids = ListField(
        child=TextField(max_length=50),
        required=False,
        allow_null=True,
        min_length=1,
        max_length=MOST_NUMBERS,
        help_text="The only phone numbers it can access; null or left out = all, and everything that "
        "belongs to the whole business.",
    )


class RotationInput(StrictSerializer):
    """How a key is replaced."""

    grace_seconds = IntegerField(
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds()),
        default=3600,
        help_text="How long the old key keeps working, in seconds.",
    )
    expires_at = TimestampField(
        required=False,
        allow_null=True,
        help_text="When the new key expires, if earlier than the old one; null or left out = when the old "
        "one would have expired.",
    )


class RevocationQuery(StrictSerializer):
    """What is revoked with a key."""

    descendants = QueryFlagField(
        default=False,
        help_text="`true` = also revoke all keys that it created or rotated, and the keys that those "
        "created. The key itself may already have expired.",
    )


class KeysView(TenantView):
    """The keys of a user."""

    @operation(
        summary="List API keys",
        description="Includes revoked and expired keys, but never the keys themselves. Needs a key with "
        "the scope `full`.",
        tag=TAG,
        operation_id="list_api_keys",
        query=PageQuery,
        responses={200: page_serializer(KeyInfoSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        rows = ApiKey.objects.filter(user_id=user_id)
        return self.page(
            rows,
            query=self.read_query(PageQuery),
            order=("-created_at", "-prefix"),
            serializer=KeyInfoSerializer,
        )

    @operation(
        summary="Create an API key",
        description="Only this response shows the key. Needs a key with the scope `full`. The new key "
        "cannot expire later than the key that creates it.",
        tag=TAG,
        operation_id="create_api_key",
        request=KeyInput,
        responses={201: KeySerializer},
        errors={422: [_IN_THE_PAST, _EXCEEDED, _NUMBER_NOT_FOUND]},
        request_example={"name": "crm", "scope": "write", "phone_number_ids": ["109876543210987"]},
        shows_secret=True,
        response_example=KEY_EXAMPLE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Create it."""
        data = self.read_body(KeyInput)
        _refuse_the_past(data)
        with _problems():
            return _created(*keys.create(user_id=user_id, **data))


class KeyView(TenantView):
    """One key."""

    @operation(
        summary="Revoke an API key",
        description="The key is refused from the next request on. With `descendants`, so are all keys that "
        "were created with it: use this if a key was stolen. Needs a key with the scope `full`.",
        tag=TAG,
        operation_id="revoke_api_key",
        query=RevocationQuery,
        responses={204: None},
    )
    def delete(self, _request: Request, user_id: str, prefix: str) -> Response:
        """Revoke it."""
        query = self.read_query(RevocationQuery)
        with _problems():
            keys.revoke(user_id=user_id, prefix=prefix, descendants=query["descendants"])
        return Response(status=HTTPStatus.NO_CONTENT)


class KeyRotationView(TenantView):
    """A key in place of another."""

    @operation(
        summary="Rotate an API key",
        description="Creates a new key with the same name, rights and expiry. The old key keeps working "
        "for `grace_seconds`, so that no request is refused while you roll out the new one. A "
        "key can be rotated once, while it works. Needs a key with the scope `full`.",
        tag=TAG,
        operation_id="rotate_api_key",
        request=RotationInput,
        responses={201: KeySerializer},
        errors={409: list(_ENDED.items()), 422: [_IN_THE_PAST, _EXCEEDED]},
        request_example={"grace_seconds": 3600},
        shows_secret=True,
        response_example={**KEY_EXAMPLE, "replaces": "0b7d9e13"},
    )
    def post(self, _request: Request, user_id: str, prefix: str) -> Response:
        """Rotate it."""
        data = self.read_body(RotationInput)
        _refuse_the_past(data)
        grace = timedelta(seconds=data["grace_seconds"])
        with _problems():
            return _created(
                *keys.rotate(user_id=user_id, prefix=prefix, grace=grace, expires_at=data.get("expires_at"))
            )


def _refuse_the_past(data: dict[str, Any]) -> None:
    expires_at = data.get("expires_at")
    if expires_at and expires_at <= timezone.now():
        raise unprocessable(*_IN_THE_PAST, field="expires_at")


@contextmanager
def _problems() -> Iterator[None]:
    """Translate errors into the API's problems."""
    try:
        yield
    except KeyNotFoundError as error:
        raise not_found("prefix") from error
    except KeyEndedError as error:
        raise conflict(error.code, _ENDED[error.code]) from error
    except RightsExceededError as error:
        raise unprocessable(*_EXCEEDED, field=error.field) from error
    except UnknownNumberError as error:
        raise unprocessable(*_NUMBER_NOT_FOUND, field="phone_number_ids") from error


def _created(row: ApiKey, key: str) -> Response:
    return Response(with_key(row, key), status=HTTPStatus.CREATED)
