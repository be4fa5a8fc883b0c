"""
Who may do what: the base of every view of the management API.

An operator's key may do everything. A business's key reaches what lies below `/users/{its own id}`; whatever
belongs to others does not exist for it. A key may have fewer rights: `billing.api.rights` says which
operations they include, and rows of numbers that a key may not see are left out by each queryset's `of`.
"""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from billing import throttling
from billing.api import rights
from billing.authentication import ApiKeyAuthentication, Caller, caller_of
from billing.idempotency import once_per_key
from billing.models import User
from config.lib import access_log, actors
from config.lib.api import pagination
from config.lib.api.problems import ProblemError, not_found
from config.lib.api.schema import INSUFFICIENT_SCOPE
from config.lib.api.serializers import unknown_name


class IsOperator(BasePermission):
    """Lets operators through where a method is theirs alone."""

    message = "This operation needs an operator's API key."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the caller has the permission."""
        return request.method not in getattr(view, "operator_methods", ()) or caller_of(request).is_operator


class HasRights(BasePermission):
    """Lets a key through to the operations that its rights include."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """
        Check the key's rights.

        :raises ProblemError: 403 if they do not include the operation
        """
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        handler = getattr(view, method, None)
        if handler is None or method not in view.http_method_names:
            return True  # answered 405
        operation_id = getattr(handler, "operation_id", "")
        caller = caller_of(request)
        is_restricted = caller.phone_number_ids is not None
        if not rights.include(operation_id, method, scope=caller.scope, is_restricted=is_restricted):
            raise ProblemError(HTTPStatus.FORBIDDEN, *INSUFFICIENT_SCOPE)
        return True


class KeyThrottle(BaseThrottle):
    """Counts the requests of a key and of its business."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count one, and tell whether it may go on."""
        caller = caller_of(request)
        self.standing = throttling.of_caller(prefix=caller.key_prefix, user_id=caller.user_id)
        view.standing = self.standing  # type: ignore[attr-defined]
        return self.standing is None or self.standing.is_allowed

    def wait(self) -> float | None:
        """Return the seconds to wait."""
        return self.standing.seconds if self.standing else None


class ApiView(APIView):
    """
    A view of the management API; `operator_methods` are those a business's key may not use.

    Every `post` reads the Idempotency-Key and runs in a transaction with it: see `billing.idempotency`.
    """

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (IsAuthenticated, IsOperator, HasRights)
    throttle_classes = (KeyThrottle,)
    operator_methods: ClassVar[tuple[str, ...]] = ()
    # No OPTIONS: /schema tells.
    http_method_names = ("get", "post", "put", "patch", "delete", "head")
    standing: throttling.Standing | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the `post` that a view defines idempotent."""
        super().__init_subclass__(**kwargs)
        if (post := vars(cls).get("post")) is not None:
            type.__setattr__(cls, "post", once_per_key(post))

    def prepare_post(self, request: Request, **kwargs: str) -> None:
        """Do what must come before the transaction of a `post`, such as a call to a foreign API."""

    @property
    def caller(self) -> Caller:
        """Whoever holds the key."""
        return caller_of(self.request)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handle a request; the actor that `initial` sets ends with it."""
        with actors.acting(actors.SYSTEM):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Ask who is calling, count it, and only then look at what is asked for."""
        self.perform_authentication(request)
        actors.become(self.caller.acting_from(BaseThrottle().get_ident(request) or ""))
        super().check_throttles(request)
        self.admit(**kwargs)
        super().initial(request, *args, **kwargs)
        self._refuse_query(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing: it was counted already."""

    def _refuse_query(self, request: Request) -> None:
        """
        Take no query parameters where a method reads none: nobody is to believe that they narrow anything.

        :raises ValidationError: naming each
        """
        method = getattr(self, str(request.method).lower(), None)
        if request.query_params and not getattr(method, "reads_query", True):
            unknown = unknown_name("", (), kind="query parameter")
            raise ValidationError({name: [unknown] for name in request.query_params})

    def admit(self, **kwargs: str) -> None:
        """
        Look whether the caller may come here at all.

        :raises ProblemError: 404 if there is nothing here for them
        """

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """
        Add what every answer tells.

        https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
        """
        response["Cache-Control"] = "no-store"
        if standing := self.standing:
            policy = standing.policy
            response["RateLimit-Policy"] = f'"{policy}";q={standing.limit};w={throttling.WINDOW}'
            response["RateLimit"] = f'"{policy}";r={standing.remaining};t={standing.seconds}'
        return super().finalize_response(request, response, *args, **kwargs)

    def read_body(self, serializer: type[Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """
        Return the validated body.

        :raises ValidationError: if it does not fit
        """
        checked = serializer(data=self.request.data, partial=partial, context={"request": self.request})
        checked.is_valid(raise_exception=True)
        data: dict[str, Any] = checked.validated_data
        return data

    def read_query(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """
        Return the validated query parameters.

        :raises ValidationError: if they do not fit, or one is given twice
        """
        parameters = self.request.query_params
        twice = [name for name, values in parameters.lists() if len(values) > 1]
        if twice:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST,
                "parameter_repeated",
                "Send each query parameter only once.",
                field=twice[0],
            )
        checked = serializer(data=parameters.dict(), context={"kind": "query parameter"})
        checked.is_valid(raise_exception=True)
        data: dict[str, Any] = checked.validated_data
        return data

    def page(
        self,
        rows: QuerySet[Any],
        *,
        query: dict[str, Any],
        order: tuple[str, ...],
        serializer: type[BaseSerializer[Any]],
        **beside: Any,
    ) -> Response:
        """Answer a page of a list; see `config.lib.api.pagination.page`."""
        return pagination.page(
            rows, request=self.request, query=query, order=order, serializer=serializer, **beside
        )


class TenantView(ApiView):
    """A view below `/users/{user_id}/`: `user_id` is one the caller may see."""

    user_id: str

    def admit(self, **kwargs: str) -> None:
        """
        Find out whose things are asked for.

        :raises ProblemError: 404 if they are not the caller's, or there is no such user
        """
        user_id = kwargs["user_id"]
        is_theirs = self.caller.user_id == user_id
        if not is_theirs and not (self.caller.is_operator and User.objects.filter(pk=user_id).exists()):
            raise not_found("user_id")
        access_log.note(user_id=user_id)
        self.user_id = user_id
