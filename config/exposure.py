"""Whether strangers may reach this service, as far as its configuration says."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

# Names that the public DNS does not resolve.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")


def exposed_by(allowed_hosts: Iterable[str], **base_urls: str) -> list[str]:
    """
    Return the variables that make the service reachable from outside; none for a checkout that stands alone.

    :param base_urls: Graph's base URLs by variable: Meta delivers webhooks only to a public address
    """
    names = [] if all(map(is_private, allowed_hosts)) else ["DJANGO_ALLOWED_HOSTS"]
    return names + [name for name, url in base_urls.items() if not _is_loopback(urlsplit(url).hostname or "")]


def is_private(host: str) -> bool:
    """Check whether a host of DJANGO_ALLOWED_HOSTS is a name or address inside a private network."""
    name = host.strip("[]").lstrip(".").rstrip(".").lower()
    try:
        return ip_address(name).is_private
    except ValueError:
        return name != "*" and ("." not in name or name.endswith(_PRIVATE_SUFFIXES))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
