"""The address of a client of the admin, by as many proxies as are trusted, as the API reads it."""

from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from config.lib import networks


def of(request: HttpRequest) -> str:
    """Return the client's address, "" if it is not known."""
    ident: str | None = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    return ident or ""


def rate_limit_key(request: HttpRequest) -> str:
    """Return what attempts are counted by: the IPv4 address, or the /64 prefix of an IPv6 address."""
    return networks.rate_limit_key(of(request))
