"""
What a business may give as the URL of an endpoint, as far as can be seen without asking anybody.

Where a name leads is looked at again at every delivery: no DNS is asked here.
"""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from config.lib import networks
from config.lib.networks import Address

MOST_CHARACTERS = 2000
# Code of an error, and what it says.
INVALID = (
    "invalid_url",
    "Events cannot be posted to this URL. Send one such as `https://example.com/events`.",
)
HTTPS_REQUIRED = ("https_required", "The URL must begin with `https://`.")
NOT_PUBLIC = ("address_not_public", "The host of the URL must have a public address.")

_PLAIN = re.compile(r"[\x21-\x7e]+")
# What one program reads as a host's end and another does not.
_AMBIGUOUS = ("\\", "#")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_PRIVATE_NAMES = ("localhost", "local", "internal")
# Tells whoever asks the secrets of a machine; nobody's webhook.
_METADATA_NAMES = {"metadata.google.internal"}


class UrlNotAllowedError(Exception):
    """An endpoint cannot have this URL; `code` stays the same, the text is for people."""

    field = "url"

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


def check_url(url: str) -> None:
    """
    Look whether an endpoint may have a URL.

    :raises UrlNotAllowedError: if it is malformed, not https, or leads to an address that is not public
    """
    parts = _split(url)
    if parts.scheme != "https" and not settings.WEBHOOK_ENDPOINTS_PRIVATE:
        raise UrlNotAllowedError(*HTTPS_REQUIRED)
    host = (parts.hostname or "").removesuffix(".")
    address = _address(host, is_bracketed=parts.netloc.startswith("["))
    if address is None:
        _check_name(host)
    elif not networks.may_reach(address, private_too=settings.WEBHOOK_ENDPOINTS_PRIVATE):
        raise UrlNotAllowedError(*NOT_PUBLIC)


def _split(url: str) -> SplitResult:
    """Take a URL apart; what could be read in two ways is refused."""
    is_clear = (
        len(url) <= MOST_CHARACTERS
        and _PLAIN.fullmatch(url)
        and not any(sign in url for sign in _AMBIGUOUS)
        and url.lower().startswith(("http://", "https://"))
    )
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError as error:
        raise UrlNotAllowedError(*INVALID) from error
    if not is_clear or not is_port or not parts.hostname or "@" in parts.netloc:
        raise UrlNotAllowedError(*INVALID)
    return parts


def _address(host: str, *, is_bracketed: bool) -> Address | None:
    """Return the IP address that a host is written as, in any notation; None for a name."""
    try:
        if is_bracketed:
            return ipaddress.IPv6Address(_without_zone(host))
        # Whatever ends in a number is an address to somebody: https://url.spec.whatwg.org/#ends-in-a-number-checker
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError) as error:
        raise UrlNotAllowedError(*INVALID) from error
    return None


def _without_zone(host: str) -> str:
    if "%" in host:
        raise ValueError("a zone means something on one machine only")
    return host


def _check_name(host: str) -> None:
    if not _NAME.fullmatch(host):
        raise UrlNotAllowedError(*INVALID)
    is_private = host.rpartition(".")[2] in _PRIVATE_NAMES
    if host in _METADATA_NAMES or (is_private and not settings.WEBHOOK_ENDPOINTS_PRIVATE):
        raise UrlNotAllowedError(*NOT_PUBLIC)
