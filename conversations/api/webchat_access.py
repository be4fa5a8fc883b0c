"""
Who may use a web chat, and from which page: the base of every view that visitors' browsers call.

Anybody can write an Origin header, so it only keeps other pages out, in browsers; what a visitor may see is
decided by their session, and how much they may do by the limits.
"""

from http import HTTPStatus
from typing import Any

from django.utils import timezone
from django.utils.cache import patch_vary_headers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from channels_app.models import WebChat
from channels_app.webchat import chats, limits, origins, sessions
from channels_app.webchat.sessions import Visitor
from config.lib import access_log, networks
from config.lib.api.problems import ProblemError, not_found
from conversations import visitor_history

TAG = "Web chat"
_CHALLENGE = 'Bearer realm="webchat"'
# https://fetch.spec.whatwg.org/#http-cors-protocol
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type, last-event-id",
    "Access-Control-Max-Age": "600",
}
ORIGIN_NOT_ALLOWED = ("origin_not_allowed", "This chat is not allowed on that page. Check `allowed_origins`.")
SESSION_INVALID = ("session_invalid", "The session is missing or has expired. Start a new one.")
DAILY_LIMIT = (limits.DAILY, "This chat has reached its limit of messages for today.")
ADDRESS_LIMIT = (limits.ADDRESS_DAILY, "This network has reached its limit of messages for today.")
PICTURE_LIMIT = (limits.PICTURE_BYTES, "This chat has reached its limit of pictures for today.")
REPLY_AWAITED = (limits.REPLY_AWAITED, "You can send more pictures after the first reply.")
_DETAILS = dict((DAILY_LIMIT, ADDRESS_LIMIT, PICTURE_LIMIT, REPLY_AWAITED))


class VisitorPrincipal:
    """A visitor whose session is good, as DRF wants to see them."""

    is_authenticated = True

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor


class VisitorAuthentication(BaseAuthentication):
    """Reads the session's token, which is good for one chat."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        """
        Return the caller.

        :raises ProblemError: 401 without a token that is good here and now
        """
        chat: WebChat = request.parser_context["view"].chat
        try:
            return VisitorPrincipal(sessions.read(bearer(request), chat=chat, now=timezone.now())), None
        except sessions.SessionInvalidError as error:
            raise session_invalid() from error

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (DRF's signature)
        """Return the authentication scheme."""
        return _CHALLENGE


def session_invalid() -> ProblemError:
    """Return the problem of a token that is not valid here and now."""
    return ProblemError(HTTPStatus.UNAUTHORIZED, *SESSION_INVALID, headers={"WWW-Authenticate": _CHALLENGE})


def bearer(request: Request) -> str:
    """Return the token that was sent, if any."""
    return token_of(request.headers.get("Authorization", ""))


def token_of(authorization: str) -> str:
    """Return the token in a header's value, if any."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def allowed_origin(chat: WebChat, *, method: str, origin: str | None, site: str | None) -> str:
    """
    Return the origin of the calling page, empty if it is one of ours without an `Origin` header.

    :raises ProblemError: 403 if the chat may not be used there
    """
    if origin is None:
        # Browsers leave it out where a page of ours reads from us, and say so.
        if method in {"GET", "HEAD"} and site == "same-origin":
            return ""
    elif origins.is_allowed(origin, allowed=chat.allowed_origins):
        return origin
    raise ProblemError(HTTPStatus.FORBIDDEN, *ORIGIN_NOT_ALLOWED)


def shared_with(origin: str) -> dict[str, str]:
    """Return the headers with which a page may read a response; none for a page of ours."""
    if not origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "retry-after, x-correlation-id",
    }


class WebChatView(APIView):
    """A view below `/webchat/{phone_number_id}/`: `chat` is one that may be used on the calling page."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = (VisitorAuthentication,)
    permission_classes: tuple[type[BasePermission], ...] = (IsAuthenticated,)
    http_method_names = ("get", "post", "head", "options")
    chat: WebChat
    _origin = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Look whether the page may use the chat, and only then who is calling."""
        chat = chats.known(kwargs["phone_number_id"])
        if chat is None:
            raise not_found("phone_number_id")
        access_log.note(phone_number_id=chat.pk, user_id=chat.phone_number.user_id)
        self.chat = chat
        self._origin = allowed_origin(
            chat,
            method=str(request.method),
            origin=request.headers.get("Origin"),
            site=request.headers.get("Sec-Fetch-Site"),
        )
        if request.method == "OPTIONS":
            return
        if chat.phone_number.deleted_at is not None:
            raise not_found("phone_number_id")
        super().initial(request, *args, **kwargs)
        if request.method in {"GET", "HEAD"}:
            with_limits(lambda: limits.count_read(address=self.address))

    def options(self, *_args: Any, **_kwargs: Any) -> Response:
        """Answer a preflight."""
        return Response(status=HTTPStatus.NO_CONTENT, headers=PREFLIGHT)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the CORS headers for an allowed page."""
        patch_vary_headers(response, ["Origin"])
        for name, value in shared_with(self._origin).items():
            response[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def visitor(self) -> Visitor:
        """Whoever the session speaks of."""
        somebody: Any = self.request.user
        visitor: Visitor = somebody.visitor
        return visitor

    @property
    def customer_id(self) -> str | None:
        """The visitor's row, if they have written."""
        return visitor_history.customer_id(
            phone_number_id=self.visitor.phone_number_id, visitor_id=self.visitor.visitor_id
        )

    @property
    def address(self) -> str:
        """Where the request comes from, as far as proxies of ours tell; of a network of one, the network."""
        return networks.rate_limit_key(BaseThrottle().get_ident(self.request))

    def read_body(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """
        Return the validated body.

        :raises ValidationError: if it does not fit
        """
        return _valid(serializer(data=self.request.data))

    def read_query(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """
        Return the validated query parameters.

        :raises ValidationError: if they do not fit
        """
        query = self.request.query_params.dict()
        return _valid(serializer(data=query, context={"kind": "query parameter"}))


def _valid(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


def with_limits(count: Any) -> None:
    """
    Count in the limits.

    :raises ProblemError: 429 if it was too much
    """
    try:
        count()
    except limits.TooManyError as error:
        detail = _DETAILS.get(error.code, f"Too many requests: {error}.")
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS, error.code, detail, headers={"Retry-After": str(error.seconds)}
        ) from error
