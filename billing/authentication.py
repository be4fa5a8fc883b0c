"""Who is calling the API: an API key in API_KEY_HEADER or as a Bearer token."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import cast

import structlog
from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from billing import keys, throttling
from billing.models import ApiKey
from config.lib import access_log, networks
from config.lib.actors import Actor, ActorKind
from config.lib.api.problems import ProblemError, unauthorized_detail

log = structlog.get_logger(__name__)

_CHALLENGE = 'Bearer realm="api"'


@dataclass(frozen=True, slots=True)
class Caller:
    """
    The caller: a business, or an operator, who has no `user_id`; and the rights of their key.

    `phone_number_ids` are the only numbers the key may see; None = all.
    """

    key_prefix: str
    user_id: str | None
    name: str = ""
    scope: str = ApiKey.Scope.FULL
    phone_number_ids: tuple[str, ...] | None = None
    is_authenticated: bool = True

    @property
    def is_operator(self) -> bool:
        """Return whether the caller may do everything."""
        return self.user_id is None

    @property
    def actor(self) -> str:
        """Name them in records of who did what."""
        return f"key:{self.key_prefix}"

    @property
    def owner(self) -> str:
        """
        Return the namespace of the caller's Idempotency-Keys.

        All unrestricted keys of a business share one, so that a request can be repeated with a rotated key.
        Keys restricted to the same numbers share one, so that no key is given an answer about other numbers.
        Each operator key has its own.
        """
        if self.user_id is None:
            return f"operator:{self.key_prefix}"
        if self.phone_number_ids is None:
            return self.user_id
        numbers = hashlib.sha256("\n".join(sorted(self.phone_number_ids)).encode()).hexdigest()
        return f"{self.user_id}:{numbers[:32]}"

    def acting_from(self, address: str) -> Actor:
        """Return the caller as the actor of a request from an IP address."""
        return Actor(ActorKind.KEY, self.key_prefix, self.name, address, self.phone_number_ids)


def caller_of(request: Request) -> Caller:
    """Return the caller of an authenticated request."""
    return cast("Caller", request.user)


def unauthorized() -> ProblemError:
    """Return the response to a missing or invalid key: the same for every fault of the key."""
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        unauthorized_detail(),
        headers={"WWW-Authenticate": _CHALLENGE},
    )


class ApiKeyAuthentication(BaseAuthentication):
    """Finds the key's row; whoever keeps guessing is asked to wait."""

    def authenticate(self, request: Request) -> tuple[Caller, str]:
        """
        Return the caller.

        :raises ProblemError: 401 without a valid key, 429 after too many wrong ones
        """
        now = timezone.now()
        row = _working(
            request.headers, address=networks.rate_limit_key(BaseThrottle().get_ident(request)), now=now
        )
        keys.note_use(row, now=now)
        numbers = row.phone_number_ids
        caller = Caller(
            key_prefix=row.prefix,
            user_id=row.user_id,
            name=row.name,
            scope=row.scope,
            phone_number_ids=None if numbers is None else tuple(numbers),
        )
        return caller, row.prefix

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (DRF's signature)
        """Return the authentication scheme."""
        return _CHALLENGE


def check_key(*, headers: Mapping[str, str], address: str) -> None:
    """
    Check that a request carries an API key that works; `headers` have lower-case names.

    :raises ProblemError: 401 without a valid key, 429 after too many wrong ones
    """
    _working(headers, address=address, now=timezone.now())


def _working(headers: Mapping[str, str], *, address: str, now: datetime) -> ApiKey:
    text = _key_of(headers)
    row = keys.find(text, now=now)
    if row is None:
        if text:
            _count_wrong(address)
        raise unauthorized()
    access_log.note(key_prefix=row.prefix, user_id=row.user_id)
    return row


def _key_of(headers: Mapping[str, str]) -> str:
    """Return the key in the headers; two that differ are none."""
    header = headers.get(settings.API_KEY_HEADER.lower(), "").strip()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if header and bearer and header != bearer:
        return "-"
    return header or bearer


def _count_wrong(address: str) -> None:
    log.warning("api.wrong_key", address=address)
    standing = throttling.of_wrong_key(address)
    if standing and not standing.is_allowed:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "throttled",
            f"Too many wrong API keys. Try again in {standing.seconds} seconds.",
            headers={"Retry-After": str(standing.seconds)},
        )
