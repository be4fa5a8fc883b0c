"""Phone numbers: WhatsApp numbers, Instagram accounts and web chats."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from agents import number_states, removal
from agents.api import number_serializers
from agents.api.number_serializers import (
    EXAMPLE,
    NewPhoneNumberSerializer,
    NumberChangesInput,
    NumberInput,
    NumberListQuery,
    PhoneNumberSerializer,
)
from agents.api.webchat_serializers import SECRET_EXAMPLE, WebChatSecretSerializer
from agents.models import Agent
from billing.api.access import TenantView
from channels_app import numbers, ownership
from channels_app.models import PhoneNumber
from channels_app.numbers import InvalidNumberError, NumberExistsError, NumberNotFoundError
from channels_app.ownership import NotTheOwnerError
from channels_app.webchat import chats
from channels_app.webchat.chats import ChatNotFoundError, InvalidSettingError
from config.lib.api import etags
from config.lib.api.problems import conflict, not_found, unprocessable
from config.lib.api.schema import operation, page_serializer

TAG = "Phone numbers"
_EXISTS = ("phone_number_exists", "This number is already registered.")
_INVALID = ("invalid_phone_number", "Send an `access_token`: this channel needs one.")
_TOKEN_NOT_VALID = ("token_not_valid", "Meta does not let this access token read this number. Check both.")
_NOTHING_TO_VERIFY = (
    "nothing_to_verify",
    "Only WhatsApp and Instagram access tokens can be verified. Leave out `verify`.",
)
_NOT_A_WEB_CHAT = ("not_a_web_chat", "Only numbers of type `webchat` have web chat settings and a secret.")
_INVALID_SETTING = ("invalid_webchat_setting", "The origin must begin with `https://`.")
_OF_WEB_CHATS = (_NOT_A_WEB_CHAT, _INVALID_SETTING)


class _NumbersOfTenant(TenantView):
    def rows(self) -> QuerySet[PhoneNumber]:
        """Return the live numbers of the business, each with its agent."""
        answering = Agent.objects.live().filter(phone_number_id=OuterRef("pk")).values("agent_id")
        live = PhoneNumber.objects.of(self.user_id).live().select_related("web_chat")
        return live.annotate(agent_id=Subquery(answering[:1]))

    def serialized(self, phone_number_id: str) -> dict[str, Any]:
        """
        Show one as it is now.

        :raises ProblemError: 404 if there is no such number
        """
        number = self.rows().filter(pk=phone_number_id).first()
        if number is None:
            raise not_found("phone_number_id")
        return dict(PhoneNumberSerializer(number).data)

    def tagged(self, phone_number_id: str) -> Response:
        """Return a number with its ETag."""
        number = self.serialized(phone_number_id)
        return etags.tagged(number, version=number_serializers.version(number))


class PhoneNumbersView(_NumbersOfTenant):
    """The numbers of a user."""

    @operation(
        summary="List phone numbers",
        description="Newest first, without deleted ones.",
        tag=TAG,
        operation_id="list_phone_numbers",
        query=NumberListQuery,
        responses={200: page_serializer(PhoneNumberSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Return a page."""
        query = self.read_query(NumberListQuery)
        rows = self.rows()
        if channel := query.get("type"):
            rows = rows.filter(type=channel)
        if status := query.get("status"):
            states = number_states.states(list(rows.values_list("pk", flat=True)))
            rows = rows.filter(pk__in=[pk for pk, state in states.items() if state.status == status])
        return self.page(
            rows, query=query, order=("-created_at", "-phone_number_id"), serializer=PhoneNumberSerializer
        )

    @operation(
        summary="Register a phone number",
        description="Customers are answered once you put an agent on the number. You can register a number "
        "again after deleting it; messages that arrived in between stay unanswered. Only this "
        "response shows the secret of a web chat.",
        tag=TAG,
        operation_id="create_phone_number",
        request=NumberInput,
        responses={201: NewPhoneNumberSerializer},
        errors={409: [_EXISTS], 422: [_INVALID, _TOKEN_NOT_VALID, _NOTHING_TO_VERIFY, *_OF_WEB_CHATS]},
        request_example={
            "phone_number_id": "109876543210987",
            "type": "whatsapp",
            "external_number": "+12025550100",
            "access_token": "EAAG-example-token",
            "display_name": "Example Bakery",
        },
        shows_secret=True,
        response_example={**EXAMPLE, "agent_id": None, "webchat_secret": None},
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Register it."""
        fields = {"external_number": "", **self.read_body(NumberInput)}
        del fields["verify"]
        chat = fields.pop("webchat", None)
        with _as_problems(), transaction.atomic():
            number = numbers.register(user_id=user_id, **fields)
            _set_up(number.phone_number_id, number.type, chat)
        number_data = self.serialized(number.phone_number_id)
        return etags.tagged(
            {**number_data, "webchat_secret": number.new_secret or None},
            version=number_serializers.version(number_data),
            status=HTTPStatus.CREATED,
            Location=f"/users/{user_id}/phone_numbers/{number.phone_number_id}",
        )

    def prepare_post(self, request: Request, **kwargs: str) -> None:  # noqa: ARG002
        """Verify the access token with Graph, where it has to be."""
        fields = self.read_body(NumberInput)
        is_requested = fields["verify"]
        if not (fields.get("access_token") or is_requested):
            return
        with _as_problems():
            _verify(
                type=fields["type"],
                phone_number_id=fields.get("phone_number_id", ""),
                access_token=fields.get("access_token", ""),
                api_base_url=fields.get("api_base_url", ""),
                is_requested=is_requested,
            )


class PhoneNumberView(_NumbersOfTenant):
    """One number."""

    @operation(
        summary="Get a phone number",
        description="Returns the number, the agent that answers there, and in `state` whether anything "
        "prevents replies.",
        tag=TAG,
        operation_id="get_phone_number",
        responses={200: PhoneNumberSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, phone_number_id: str) -> Response:  # noqa: ARG002
        """Answer the number."""
        return self.tagged(phone_number_id)

    @operation(
        summary="Change a phone number",
        description="Changes only the fields you send. **Use this to rotate the access token:** send the "
        "new `access_token`, with `verify` to have Meta confirm it first. Replies use it from "
        "then on.",
        tag=TAG,
        operation_id="update_phone_number",
        request=NumberChangesInput(partial=True),
        responses={200: PhoneNumberSerializer},
        errors={422: [_INVALID, _TOKEN_NOT_VALID, _NOTHING_TO_VERIFY, *_OF_WEB_CHATS]},
        if_match=True,
        request_example={"access_token": "EAAG-another-token", "verify": True},
        response_example=EXAMPLE,
    )
    def patch(self, request: Request, user_id: str, phone_number_id: str) -> Response:  # noqa: ARG002
        """Change it; Graph is asked before there is a transaction."""
        changes = self.read_body(NumberChangesInput, partial=True)
        is_requested, chat = changes.pop("verify", False), changes.pop("webchat", None)
        with _as_problems():
            self._verify_new(phone_number_id, changes, is_requested=is_requested)
            with transaction.atomic():
                self.rows().select_for_update(no_key=True, of=("self",)).filter(pk=phone_number_id).first()
                etags.check(request, number_serializers.version(self.serialized(phone_number_id)))
                number = numbers.change(phone_number_id=phone_number_id, **changes)
                _set_up(phone_number_id, number.type, chat)
                return self.tagged(phone_number_id)

    def _verify_new(self, phone_number_id: str, changes: dict[str, Any], *, is_requested: bool) -> None:
        number = self.rows().filter(pk=phone_number_id).first()
        if number is None:
            raise not_found("phone_number_id")
        if is_requested and "access_token" not in changes:
            raise unprocessable(*_NOTHING_TO_VERIFY, field="verify")
        if "access_token" in changes:
            _verify(
                type=number.type,
                phone_number_id=phone_number_id,
                access_token=changes["access_token"],
                api_base_url=changes.get("api_base_url", number.api_base_url),
                is_requested=is_requested,
            )

    @operation(
        summary="Delete a phone number",
        description="Its agent stays, without a number, and its conversations are closed. The access token "
        "is erased as soon as no reply in progress needs it. Messages are kept. New messages "
        "from customers wait unanswered.",
        tag=TAG,
        operation_id="delete_phone_number",
        responses={204: None},
    )
    def delete(self, _request: Request, user_id: str, phone_number_id: str) -> Response:  # noqa: ARG002
        """Delete it."""
        if not self.rows().filter(pk=phone_number_id).exists():
            raise not_found("phone_number_id")
        removal.remove(phone_number_id=phone_number_id)
        return Response(status=HTTPStatus.NO_CONTENT)


class WebChatSecretView(_NumbersOfTenant):
    """A web chat's secret in place of another."""

    @operation(
        summary="Rotate a web chat's secret",
        description="The old secret stops working at once, and so do the sessions of signed-in users: "
        "their pages start new ones with tokens signed by the new secret. Only this response "
        "shows the new secret.",
        tag=TAG,
        operation_id="rotate_webchat_secret",
        responses={200: WebChatSecretSerializer},
        errors={422: [_NOT_A_WEB_CHAT]},
        shows_secret=True,
        response_example={"webchat_secret": SECRET_EXAMPLE},
    )
    def post(self, _request: Request, user_id: str, phone_number_id: str) -> Response:  # noqa: ARG002
        """Rotate it."""
        if not self.rows().filter(pk=phone_number_id).exists():
            raise not_found("phone_number_id")
        try:
            secret = chats.rotate_secret(phone_number_id=phone_number_id)
        except ChatNotFoundError as error:
            raise unprocessable(*_NOT_A_WEB_CHAT) from error
        return Response({"webchat_secret": secret})


def _set_up(phone_number_id: str, channel: str, settings: dict[str, Any] | None) -> None:
    """Set what was given of a web chat."""
    if settings is None:
        return
    if channel != PhoneNumber.Type.WEBCHAT:
        raise unprocessable(*_NOT_A_WEB_CHAT, field="webchat")
    chats.change(phone_number_id=phone_number_id, **settings)


def _verify(
    *,
    type: str,  # noqa: A002  (the column's name)
    phone_number_id: str,
    access_token: str,
    api_base_url: str,
    is_requested: bool,
) -> None:
    """Check with Graph whose number it is, after checking where the token would be sent."""
    if type == PhoneNumber.Type.WEBCHAT:
        if is_requested:
            raise unprocessable(*_NOTHING_TO_VERIFY, field="verify")
        return
    ownership.require(
        channel=type,
        phone_number_id=phone_number_id,
        access_token=access_token,
        api_base_url=api_base_url,
        is_requested=is_requested,
    )


@contextmanager
def _as_problems() -> Iterator[None]:
    """Translate domain errors into problems; none of them repeats a token."""
    try:
        yield
    except InvalidNumberError as error:
        raise unprocessable(_INVALID[0], str(error), field=error.field) from error
    except InvalidSettingError as error:
        raise unprocessable(_INVALID_SETTING[0], str(error), field=f"webchat.{error.field}") from error
    except ChatNotFoundError as error:
        raise unprocessable(*_NOT_A_WEB_CHAT, field="webchat") from error
    except NotTheOwnerError as error:
        raise unprocessable(*_TOKEN_NOT_VALID, field="access_token") from error
    except NumberExistsError as error:
        raise conflict(*_EXISTS) from error
    except NumberNotFoundError as error:
        raise not_found("phone_number_id") from error
