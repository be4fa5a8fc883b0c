"""How a web chat looks, and how a visitor becomes one."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from agents import directory
from agents.api import webchat_shapes
from channels_app.webchat import arrivals, limits, sessions
from channels_app.webchat.sessions import Identity, IdentityInvalidError, SessionInvalidError, Visitor
from config.lib.api.problems import ProblemError, not_found
from config.lib.api.schema import operation
from config.lib.texts import timestamp
from conversations import visitor
from conversations.api.webchat_access import TAG, WebChatView, bearer, with_limits
from conversations.api.webchat_shapes import ConfigSerializer, SessionInput, SessionSerializer

_SHOWN = (
    *("title", "subtitle", "welcome_text", "placeholder", "launcher_label"),
    *("color", "position", "theme", "texts"),
)
_EXAMPLE: dict[str, Any] = {
    **{name: webchat_shapes.EXAMPLE[name] for name in _SHOWN},
    "is_available": True,
    "events_url": "https://agents.example/webchat/web_01KB2T7M3G5Q8R9S0T1V2W3X4Y/events",
}
_IDENTITY_INVALID = ("identity_invalid", "The hash was not made from this user_id with the chat's secret.")


class ConfigView(WebChatView):
    """How a chat looks."""

    # Anybody who sees the page may see its chat; the page's origin is asked for.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        summary="Get a web chat's looks",
        description="What the widget needs to show itself, and nothing else. 404 where nobody answers any "
        "more: there is no number or no agent.",
        tag=TAG,
        operation_id="get_webchat_config",
        responses={200: ConfigSerializer},
        is_public=True,
        visitors=f"Rate limit: {limits.READS_BY_ADDRESS} readings a minute per address.",
        response_example=_EXAMPLE,
    )
    def get(self, _request: Request, phone_number_id: str) -> Response:
        """Answer it."""
        if directory.get(phone_number_id) is None:
            raise not_found()
        found = {name: getattr(self.chat, name) for name in _SHOWN}
        found["is_available"] = visitor.state(phone_number_id=phone_number_id).is_available
        found["events_url"] = f"{settings.WEBCHAT_EVENTS_URL}/webchat/{phone_number_id}/events"
        return Response(found, headers={"Cache-Control": "no-cache"})


class SessionsView(WebChatView):
    """Sessions of a chat."""

    # Whoever has none yet begins one here.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @operation(
        summary="Begin a session",
        description="With an earlier session's token (`Authorization: Bearer …`) the visitor stays who they "
        "were, and gets a token that lasts longer; one that is not good any more is as none. With an "
        "`identity` they are who the business's server says; what they wrote before, without one, becomes "
        "part of that user's chat.",
        tag=TAG,
        operation_id="create_webchat_session",
        request=SessionInput,
        responses={201: SessionSerializer},
        errors={422: [_IDENTITY_INVALID]},
        is_public=True,
        visitors=f"Rate limit: {limits.SESSIONS_BY_ADDRESS} a minute per address.",
        request_example={
            "identity": {
                "user_id": "4711",
                "name": "Ana",
                "hash": "f2b1f1f3c2f0e9a3f0b3d6b5c1a4e7d8f2b1f1f3c2f0e9a3f0b3d6b5c1a4e7d8",
            }
        },
        response_example={
            "token": "eyJuIjoid2ViXzAxS0IyVCJ9:dGhlLXNpZ25hdHVyZQ",
            "expires_at": "2026-12-24T12:00:00Z",
            "visitor": {"name": "Ana"},
        },
    )
    @transaction.atomic
    def post(self, request: Request, phone_number_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Begin it."""
        with_limits(lambda: limits.count_session(address=self.address))
        given = self.read_body(SessionInput).get("identity")
        now, earlier = timezone.now(), self._earlier(request)
        try:
            identity = Identity(**given) if given else None
            session = sessions.begin(self.chat, now=now, identity=identity, earlier=earlier)
        except IdentityInvalidError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, *_IDENTITY_INVALID) from error
        arrivals.note_identity(session.visitor, now=now)
        shown = {
            "token": session.token,
            "expires_at": timestamp(session.expires_at),
            "visitor": {"name": session.visitor.name},
        }
        return Response(shown, status=HTTPStatus.CREATED)

    def _earlier(self, request: Request) -> Visitor | None:
        try:
            return sessions.read(bearer(request), chat=self.chat, now=timezone.now())
        except SessionInvalidError:
            return None
