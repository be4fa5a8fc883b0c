"""
Which pages a chat may stand on: by the exact origin a browser names, and nothing like it.

https://www.rfc-editor.org/rfc/rfc6454#section-6.2
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from django.conf import settings

# As browsers write it: lower case, no path, no default port. A name of another script comes as xn--….
_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(rf"(https?)://({_HOST})(?::([1-9][0-9]{{0,4}}))?")
_LOOPBACK = {"localhost", "127.0.0.1"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST = 255


class InvalidOriginError(ValueError):
    """No browser names a page so, or nobody can be sure who is on it."""


def check(text: str) -> str:
    """
    Return an origin in the notation of browsers, such as `https://shop.example`.

    :raises InvalidOriginError: if it is none; or without TLS, but for a page on the developer's own machine
    """
    match = _ORIGIN.fullmatch(text.strip().lower().removesuffix("/"))
    if match is None or len(text) > LONGEST:
        raise InvalidOriginError(
            "An origin must have only a scheme, a host and optionally a port, such as `https://shop.example`."
        )
    scheme, host, port = match.group(1), match.group(2), int(match.group(3) or 0)
    if port > 65535:
        raise InvalidOriginError("The port must be from 1 to 65535.")
    if scheme == "http" and (settings.IS_PRODUCTION or host not in _LOOPBACK):
        raise InvalidOriginError("The origin must begin with `https://`.")
    return f"{scheme}://{host}" if port in {0, _DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}"


def is_allowed(origin: str, *, allowed: Collection[str]) -> bool:
    """Return whether a page of this origin may use a chat that is `allowed` on those; our own pages may."""
    return bool(origin) and (origin in allowed or origin in own())


def own() -> frozenset[str]:
    """Return the origins of our own pages: the hosted chat, and the demo where there is one."""
    origins = {base_url()} - {""}
    if not settings.IS_PRODUCTION:
        origins |= {f"http://{host}:{settings.API_PORT}" for host in _LOOPBACK}
    return frozenset(origins)


def base_url() -> str:
    """Return the public origin of the service."""
    parts = urlsplit(settings.WEBCHAT_WIDGET_URL)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
