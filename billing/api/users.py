"""Users: the businesses."""

from http import HTTPStatus
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing import accounts
from billing.accounts import EmailTakenError
from billing.api.access import ApiView, TenantView
from billing.api.keys import KEY_EXAMPLE, KeySerializer, with_key
from billing.models import User
from config.lib.api import etags
from config.lib.api.problems import conflict, field_error
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import EmailField, PageQuery, StrictSerializer, TextField

TAG = "Users"
EXAMPLE: dict[str, Any] = {
    "user_id": "usr_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "email": "owner@example.com",
    "company_name": "Example Bakery",
    "timezone": "Europe/Berlin",
    "notify_email": "sales@example.com",
    "created_at": "2026-11-24T12:00:00Z",
}
_TAKEN = ("email_taken", "Another user already has this e-mail address.")


class UserSerializer(serializers.ModelSerializer[User]):
    """A business."""

    # Not as an address: it may be empty.
    notify_email = serializers.CharField(
        read_only=True, help_text="Receives e-mails about leads; empty = none are sent."
    )

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            *("user_id", "email", "company_name", "timezone", "notify_email", "created_at"),
        )
        read_only_fields = fields


@extend_schema_field({"type": "string", "format": "iana-timezone"})
class TimezoneField(TextField):
    """A time zone's name."""

    def to_internal_value(self, data: Any) -> str:
        """
        Take a name of the IANA database.

        :raises ValidationError: for anything else
        """
        name = super().to_internal_value(data)
        if name not in available_timezones():
            raise ValidationError(
                [
                    field_error(
                        "unknown_timezone",
                        "This field must be a name of the IANA time zone database, such as `Europe/Berlin`.",
                    )
                ]
            )
        return name


class UserInput(StrictSerializer):
    """What can be said of a business."""

    email = EmailField(max_length=255, help_text="Must be unique among all users.")
    company_name = TextField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="Prompts may use it as `{{business_name}}`.",
    )
    timezone = TimezoneField(
        max_length=64,
        required=False,
        help_text="IANA name, for example `Europe/Berlin`; default: `UTC`.",
    )
    notify_email = EmailField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="Receives e-mails about leads; empty = none are sent.",
    )


class NewUserSerializer(UserSerializer):
    """A business that was made just now, with its first key."""

    api_key = KeySerializer(help_text="Its first API key; `key` is shown only once.")

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "api_key")
        read_only_fields = fields


class UserListQuery(PageQuery):
    """What the list of users can be narrowed to."""

    email = serializers.CharField(
        required=False, max_length=255, help_text="Only the user with exactly this address."
    )


class UsersView(ApiView):
    """All users."""

    operator_methods = ("GET", "POST")

    @operation(
        summary="List users",
        description="Newest first. Operators only.",
        tag=TAG,
        operation_id="list_users",
        query=UserListQuery,
        responses={200: page_serializer(UserSerializer)},
        operators_only=True,
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request) -> Response:
        """Return a page."""
        query = self.read_query(UserListQuery)
        rows = User.objects.all()
        if email := query.get("email"):
            rows = rows.filter(email=email.lower())
        return self.page(rows, query=query, order=("-user_id",), serializer=UserSerializer)

    @operation(
        summary="Create a user",
        description="Creates a business with a balance of 0 and its first API key. Operators only.",
        tag=TAG,
        operation_id="create_user",
        request=UserInput,
        responses={201: NewUserSerializer},
        errors={409: [_TAKEN]},
        operators_only=True,
        request_example={"email": "owner@example.com", "company_name": "Example Bakery"},
        shows_secret=True,
        response_example={**EXAMPLE, "api_key": KEY_EXAMPLE},
    )
    def post(self, _request: Request) -> Response:
        """Make one."""
        try:
            user, key, text = accounts.open_account(**self.read_body(UserInput))
        except EmailTakenError as error:
            raise conflict(*_TAKEN) from error
        data = {**UserSerializer(user).data, "api_key": with_key(key, text)}
        return Response(data, status=HTTPStatus.CREATED, headers={"Location": f"/users/{user.user_id}"})


class UserView(TenantView):
    """One user."""

    @operation(
        summary="Get a user",
        description="Returns the business.",
        tag=TAG,
        operation_id="get_user",
        responses={200: UserSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Answer the user."""
        return etags.tagged(UserSerializer(User.objects.get(pk=user_id)).data)

    @operation(
        summary="Change a user",
        description="Changes only the fields you send.",
        tag=TAG,
        operation_id="update_user",
        request=UserInput(partial=True),
        responses={200: UserSerializer},
        errors={409: [_TAKEN]},
        if_match=True,
        request_example={"timezone": "America/Sao_Paulo"},
        response_example=EXAMPLE,
    )
    @transaction.atomic
    def patch(self, request: Request, user_id: str) -> Response:
        """Change it."""
        user = User.objects.select_for_update().get(pk=user_id)
        etags.check(request, UserSerializer(user).data)
        try:
            accounts.change(user, **self.read_body(UserInput, partial=True))
        except EmailTakenError as error:
            raise conflict(*_TAKEN) from error
        return etags.tagged(UserSerializer(user).data)
