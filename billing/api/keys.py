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
from config.lib.api.schema import operation, page_of
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
SHOWN_ONCE = {"key": "mcak_9f2c41ab_<43 characters>", **EXAMPLE, "last_used_at": None}
LONGEST_GRACE = timedelta(days=7)
MOST_NUMBERS = 100
_IN_THE_PAST = ("expires_in_the_past", "The `expires_at` has passed already.")
_EXCEEDED = (
    "rights_exceeded",
    "A key cannot have more rights, or a later end, than the key that makes it or that it replaces.",
)
_NUMBER_NOT_FOUND = ("phone_number_not_found", "You have no such phone number.")
_ENDED = {
    "api_key_rotated": "The key was rotated already: rotate the key that replaced it.",
    "api_key_revoked": "The key was revoked: create a new one.",
    "api_key_expired": "The key has expired: create a new one.",
}


class KeyInfoSerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    scope = serializers.ChoiceField(
        choices=ApiKey.Scope.values,
        read_only=True,
        help_text="`read` = every GET; `write` = also what changes something; `full` = also API keys.",
    )
    phone_number_ids = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        allow_null=True,
        help_text="The only numbers it may see; null = all, and what belongs to the whole business.",
    )
    created_by = serializers.CharField(
        read_only=True, help_text="The key, staff member or command that made it; empty = not known."
    )
    parent = serializers.CharField(  # type: ignore[assignment]  # declared fields are no attributes
        source="parent_id", read_only=True, allow_null=True, help_text="The key that made it; null = none."
    )
    replaces = serializers.CharField(
        source="replaces_id",
        read_only=True,
        allow_null=True,
        help_text="The key that was rotated; null = it is no rotated key.",
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
    expires_at = TimestampField(
        required=False,
        allow_null=True,
        help_text="From then on it is refused; null or not given = when the key that makes it ends.",
    )
    scope = ChoiceField(
        choices=ApiKey.Scope.values,
        default=ApiKey.Scope.FULL.value,
        help_text="`read` = every GET; `write` = also what changes something; `full` = also API keys.",
    )
    phone_number_ids = ListField(
        child=TextField(max_length=50),
        required=False,
        allow_null=True,
        min_length=1,
        max_length=MOST_NUMBERS,
        help_text="The only numbers it may see; null or not given = all, and what belongs to the whole "
        "business.",
    )


class RotationInput(StrictSerializer):
    """How a key is replaced."""

    grace_seconds = IntegerField(
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds()),
        default=3600,
        help_text="How long the old key works on, in seconds.",
    )
    expires_at = TimestampField(
        required=False,
        allow_null=True,
        help_text="When the new key ends, if earlier than the old one; null or not given = when that ends.",
    )


class RevocationQuery(StrictSerializer):
    """What is revoked with a key."""

    descendants = QueryFlagField(
        default=False,
        help_text="`true` = also the keys that it made, by creating or rotating, and those that these made. "
        "Then the key itself may have ended before.",
    )


class KeysView(TenantView):
    """The keys of a user."""

    @operation(
        summary="List API keys",
        description="Also those that are revoked or expired; never the keys themselves. Needs a key with the "
        "scope `full`.",
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
        description="The key is shown in this answer only. Needs a key with the scope `full`; the new key "
        "never ends later than the key that makes it.",
        tag=TAG,
        operation_id="create_api_key",
        request=KeyInput,
        responses={201: KeySerializer},
        errors={422: [_IN_THE_PAST, _EXCEEDED, _NUMBER_NOT_FOUND]},
        request_example={"name": "crm", "scope": "write", "phone_number_ids": ["109876543210987"]},
        shows_secret=True,
        response_example=SHOWN_ONCE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Create it."""
        given = self.read_body(KeyInput)
        _refuse_the_past(given)
        with _problems():
            return _shown(*keys.create(user_id=user_id, **given))


class KeyView(TenantView):
    """One key."""

    @operation(
        summary="Revoke an API key",
        description="It is refused from the next request on. With `descendants` so are all keys that were "
        "made with it: for a key that was stolen. Needs a key with the scope `full`.",
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
        description="Makes a new key of the same name, with the same rights and the same end. The old one "
        "works on for `grace_seconds`, so that no request is refused while the new one is rolled out. A key "
        "can be rotated once, while it works. Needs a key with the scope `full`.",
        tag=TAG,
        operation_id="rotate_api_key",
        request=RotationInput,
        responses={201: KeySerializer},
        errors={409: list(_ENDED.items()), 422: [_IN_THE_PAST, _EXCEEDED]},
        request_example={"grace_seconds": 3600},
        shows_secret=True,
        response_example={**SHOWN_ONCE, "replaces": "0b7d9e13"},
    )
    def post(self, _request: Request, user_id: str, prefix: str) -> Response:
        """Rotate it."""
        given = self.read_body(RotationInput)
        _refuse_the_past(given)
        grace = timedelta(seconds=given["grace_seconds"])
        with _problems():
            return _shown(
                *keys.rotate(user_id=user_id, prefix=prefix, grace=grace, expires_at=given.get("expires_at"))
            )


def _refuse_the_past(given: dict[str, Any]) -> None:
    expires_at = given.get("expires_at")
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


def _shown(row: ApiKey, key: str) -> Response:
    return Response(shown_once(row, key), status=HTTPStatus.CREATED)
