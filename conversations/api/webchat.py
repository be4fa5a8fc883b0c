"""How a web chat looks, and how a visitor becomes one."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from agents import routing
from agents.api import webchat_serializers
from channels_app.webchat import identities, limits, sessions, visitor_ingest
from channels_app.webchat.identities import (
    IdentityExpiredError,
    IdentityInvalidError,
    IdentityOutdatedError,
    User,
)
from channels_app.webchat.sessions import SessionInvalidError, Visitor
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation
from config.lib.texts import timestamp
from conversations import visitor_history
from conversations.api.webchat_access import TAG, WebChatView, bearer, with_limits
from conversations.api.webchat_serializers import ConfigSerializer, SessionInput, SessionSerializer

_CONFIG_FIELDS = (
    *("title", "subtitle", "welcome_text", "placeholder", "launcher_label"),
    *("color", "position", "theme", "texts"),
)
_EXAMPLE: dict[str, Any] = {
    **{name: webchat_serializers.EXAMPLE[name] for name in _CONFIG_FIELDS},
    "is_available": True,
    "events_url": "https://agents.example/webchat/web_01KB2T7M3G5Q8R9S0T1V2W3X4Y/events",
}
# With the claims aud, sub (4711), name (Ana) and exp.
_IDENTITY_EXAMPLE = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJ3ZWJjaGF0LWlkZW50aXR5LXYyIiwic3ViIjoiNDcxMSIsIm5hbWUiOi"
    "JBbmEiLCJleHAiOjE3OTAyNTQ4MDB9.c2lnbmF0dXJlLW9mLXRoaXMtZXhhbXBsZQ"
)
_IDENTITY_INVALID = ("identity_invalid", "The identity is not signed with this chat's secret.")
_IDENTITY_EXPIRED = ("identity_expired", "The identity token has expired. Send a new one.")
_IDENTITY_OUTDATED = (
    "identity_outdated",
    "This chat no longer accepts hashes of user ids. Send an `identity_token`.",
)


class ConfigView(WebChatView):
    """How a chat looks."""

    # Anybody who sees the page may see its chat; the page's origin is asked for.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        summary="Get a web chat's looks",
        description="Returns what the widget needs to show itself. 404 if the number or its agent does not "
        "exist.",
        tag=TAG,
        operation_id="get_webchat_config",
        responses={200: ConfigSerializer},
        is_public=True,
        visitors=f"Rate limit: {limits.READS_BY_ADDRESS} requests a minute per address.",
        response_example=_EXAMPLE,
    )
    def get(self, _request: Request, phone_number_id: str) -> Response:
        """Answer it."""
        if routing.get(phone_number_id) is None:
            raise not_found("phone_number_id")
        config = {name: getattr(self.chat, name) for name in _CONFIG_FIELDS}
        config["is_available"] = visitor_history.state(phone_number_id=phone_number_id).is_available
        config["events_url"] = f"{settings.WEBCHAT_EVENTS_URL}/webchat/{phone_number_id}/events"
        return Response(config, headers={"Cache-Control": "no-cache"})


class SessionsView(WebChatView):
    """Sessions of a chat."""

    # Whoever has none yet begins one here.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        summary="Begin a session",
        description="With the token of an earlier session (`Authorization: Bearer …`) the visitor stays "
        "the same, and an anonymous visitor gets a token that lasts longer. An expired token "
        "is ignored. With an `identity_token` the visitor is the user that the business's "
        "server has signed in; messages they wrote before, without one, join that user's chat.",
        tag=TAG,
        operation_id="create_webchat_session",
        request=SessionInput,
        responses={201: SessionSerializer},
        errors={422: [_IDENTITY_INVALID, _IDENTITY_EXPIRED, _IDENTITY_OUTDATED]},
        is_public=True,
        visitors=f"Rate limit: {limits.SESSIONS_BY_ADDRESS} a minute per address.",
        request_example={"identity_token": _IDENTITY_EXAMPLE},
        response_example={
            "token": "eyJuIjoid2ViXzAxS0IyVCJ9:dGhlLXNpZ25hdHVyZQ",
            "expires_at": "2026-12-24T12:00:00Z",
            "visitor": {"name": "Ana"},
        },
    )
    @transaction.atomic
    def post(self, request: Request, phone_number_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Begin or renew a session."""
        with_limits(lambda: limits.count_session(address=self.address))
        data = self.read_body(SessionInput)
        now, earlier = timezone.now(), self._earlier(request)
        user = self._user(data, now=now)
        session = sessions.begin(self.chat, now=now, user=user, earlier=earlier)
        visitor_ingest.note_identity(session.visitor, now=now)
        config = {
            "token": session.token,
            "expires_at": timestamp(session.expires_at),
            "visitor": {"name": session.visitor.name},
        }
        return Response(config, status=HTTPStatus.CREATED)

    def _user(self, data: dict[str, Any], *, now: datetime) -> User | None:
        try:
            if "identity_token" in data:
                return identities.verify(data["identity_token"], chat=self.chat, now=now)
            if "identity" in data:
                user_id, proof = data["identity"]["user_id"], data["identity"]["hash"]
                return identities.verify_hash(user_id, signature=proof, chat=self.chat, now=now)
        except IdentityInvalidError as error:
            code, detail = _IDENTITY_INVALID
            raise unprocessable(code, str(error) or detail) from error
        except IdentityExpiredError as error:
            raise unprocessable(*_IDENTITY_EXPIRED) from error
        except IdentityOutdatedError as error:
            raise unprocessable(*_IDENTITY_OUTDATED) from error
        return None

    def _earlier(self, request: Request) -> Visitor | None:
        try:
            return sessions.read(bearer(request), chat=self.chat, now=timezone.now())
        except SessionInvalidError:
            return None
