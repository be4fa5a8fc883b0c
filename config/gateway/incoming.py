"""A request whose body has not been read yet."""

from dataclasses import dataclass

from django.conf import settings

from config.lib import asgi, logs, networks
from config.lib.access_log import Record
from config.lib.asgi import Scope


@dataclass(frozen=True, slots=True)
class Incoming:
    """
    The head of a request, and what the access log is to have of it.

    Header names are lower-case; `address` is the client's rate-limit key. `owner` says whose share of the
    request threads it uses; empty where there are no shares.
    """

    scope: Scope
    headers: dict[str, str]
    address: str
    correlation_id: str
    record: Record
    owner: str = ""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """The path, without the query."""
        return str(self.scope["path"])

    @property
    def body_bytes(self) -> int | None:
        """The announced size of the body; None if it comes in chunks of unknown number."""
        if "transfer-encoding" in self.headers:
            return None
        announced = self.headers.get("content-length", "0")
        return int(announced) if announced.isdecimal() else None


def read_head(scope: Scope, *, owner: str = "") -> Incoming:
    """Return the head of a request, with a correlation id that every later layer uses as well."""
    headers = asgi.headers_of(scope["headers"])
    name = settings.CORRELATION_ID_HEADER.lower()
    correlation_id = logs.correlation_of(headers.get(name, ""))
    headers[name] = correlation_id
    address = asgi.address_of(scope, headers, proxies=settings.TRUSTED_PROXIES)
    record = Record(scope["method"], scope["path"])
    return Incoming(scope, headers, networks.rate_limit_key(address), correlation_id, record, owner)
