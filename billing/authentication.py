"""Who is calling the API: an API key in API_KEY_HEADER or as a Bearer token."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import structlog
from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from billing import keys, throttling
from config.lib import networks
from config.lib.api.problems import ProblemError

log = structlog.get_logger(__name__)

_CHALLENGE = 'Bearer realm="api"'


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a key: a business, or an operator, who has no `user_id`."""

    key_prefix: str
    user_id: str | None
    is_authenticated: bool = True

    @property
    def is_operator(self) -> bool:
        """Tell whether they may do everything."""
        return self.user_id is None

    @property
    def actor(self) -> str:
        """Name them in records of who did what."""
        return f"key:{self.key_prefix}"

    @property
    def owner(self) -> str:
        """Name whose Idempotency-Keys are theirs."""
        return self.user_id or "operator"


def caller_of(request: Request) -> Caller:
    """Give whoever an authenticated request is from."""
    return cast("Caller", request.user)


def unauthorized() -> ProblemError:
    """Say that there is no valid key: the same words whatever is wrong with it."""
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "A valid API key is needed.",
        headers={"WWW-Authenticate": _CHALLENGE},
    )


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the key's row; whoever keeps guessing is asked to wait."""

    def authenticate(self, request: Request) -> tuple[Caller, str]:
        """
        Say who is calling.

        :raises ProblemError: 401 without a valid key, 429 after too many wrong ones
        """
        given, now = _given(request), timezone.now()
        row = keys.find(given, now=now)
        if row is None:
            if given:
                _count_wrong(request)
            raise unauthorized()
        keys.note_use(row, now=now)
        return Caller(row.prefix, row.user_id), row.prefix

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (DRF's signature)
        """Say how to authenticate."""
        return _CHALLENGE


def _given(request: Request) -> str:
    """Give the key that was sent; two that differ are none."""
    header = request.headers.get(settings.API_KEY_HEADER, "").strip()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if header and bearer and header != bearer:
        return "-"
    return header or bearer


def _count_wrong(request: Request) -> None:
    address = networks.household(BaseThrottle().get_ident(request))
    log.warning("api.wrong_key", address=address)
    standing = throttling.of_wrong_key(address)
    if standing and not standing.is_allowed:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "throttled",
            f"Too many wrong keys. Try again in {standing.seconds} seconds.",
            headers={"Retry-After": str(standing.seconds)},
        )
