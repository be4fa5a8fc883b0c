"""
The one way out to the internet for calls that no vendor's SDK makes.

Redirects are never followed: an `Authorization` header must not travel to a host it was not meant for.
"""

import contextlib
import functools
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import aiohttp
import requests
from django.conf import settings
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from config.lib import event_loop, logs, networks

_CONNECT_TIMEOUT = 3.05
_SILENCE_TIMEOUT = 10.0
_CHUNK = 64 * 1024

_session = requests.Session()
_session.trust_env = False


class NotSentError(Exception):
    """The connection was never made, so the other side has received nothing."""


class NoAnswerError(Exception):
    """Bytes may have left, but no complete answer came back: the outcome is unknown."""


class ForbiddenAddressError(Exception):
    """The host lies in a network of our own, where nobody from outside may send us."""


@dataclass(frozen=True, slots=True)
class Posted:
    """How a POST was answered; `retry_after` is that header, or empty."""

    status: int
    retry_after: str


class TooLargeError(Exception):
    """The answer is larger than the caller takes."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer."""

    status: int
    content: bytes


async def post_json(url: str, *, body: object, token: str, timeout: float) -> Received:
    """
    Post JSON with a bearer token, once, on the process's event loop; `timeout` is for all of it, in seconds.

    :raises NotSentError: if no connection could be made
    :raises NoAnswerError: on a timeout or a broken connection after that
    """
    headers = {"authorization": f"Bearer {token}", settings.CORRELATION_ID_HEADER: logs.correlation_id()}
    limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT_TIMEOUT, timeout))
    try:
        # What aiohttp would send as UTF-8 no server takes.
        token.encode("latin-1")
        async with _client().post(
            url, json=body, headers=headers, timeout=limits, allow_redirects=False
        ) as response:
            return Received(response.status, await response.read())
    except (UnicodeError, ValueError) as error:
        raise NotSentError("a token that no header can hold") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise NotSentError("no connection in time") from error
    except aiohttp.ClientConnectorError as error:
        raise NotSentError("connection refused") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NoAnswerError(type(error).__name__) from error


@functools.cache
def _client() -> aiohttp.ClientSession:
    """Return the session of the process's event loop; it keeps as many connections as are in use."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30))
    event_loop.close_at_exit(session.close)
    return session


def get_json(url: str, *, token: str, timeout: float) -> dict[str, object]:
    """
    Get a JSON object with a bearer token, whatever the status it comes with; nothing else gives an empty one.

    :raises NotSentError: if no connection could be made
    :raises NoAnswerError: on a timeout or a broken connection after that
    """
    try:
        answer = _session.get(
            url, headers={"authorization": f"Bearer {token}"}, timeout=timeout, allow_redirects=False
        ).json()
    except (requests.exceptions.InvalidHeader, UnicodeError) as error:
        raise NotSentError("a token that no header can hold") from error
    except requests.JSONDecodeError:
        return {}
    except requests.RequestException as error:
        raise NoAnswerError(type(error).__name__) from error
    return answer if isinstance(answer, dict) else {}


def get_bytes(
    url: str, *, headers: Mapping[str, str], max_bytes: int, deadline: float, may_be_private: bool = False
) -> Received:
    """
    Get at most `max_bytes` from a URL, all of it before the `deadline` on `time.monotonic`'s clock.

    The addresses of its host must be public unless it `may_be_private`, which is for hosts we configured.

    :raises ForbiddenAddressError: if one of them is not; nothing was sent
    :raises NotSentError: if no connection could be made
    :raises NoAnswerError: if no complete answer came in time
    :raises TooLargeError: if there is more; reading stopped there
    """
    with _connection(url, deadline, may_be_private=may_be_private) as (connection, target):
        _ask(connection, "GET", target, headers)
        with connection.getresponse() as response:
            return Received(response.status, _content(response, max_bytes))


def post_bytes(
    url: str, *, body: bytes, headers: Mapping[str, str], deadline: float, may_be_private: bool = False
) -> Posted:
    """
    Post once, and wait for the answer's head until the `deadline` on `time.monotonic`'s clock.

    Its body is not read, however long. Addresses as for `get_bytes`; only https unless `may_be_private`.

    :raises ForbiddenAddressError: if we may not be sent there; nothing was sent
    :raises NotSentError: if no connection could be made
    :raises NoAnswerError: if no answer came in time
    """
    if not url.lower().startswith("https://") and not may_be_private:
        raise ForbiddenAddressError
    with _connection(url, deadline, may_be_private=may_be_private) as (connection, target):
        _ask(connection, "POST", target, headers, body)
        with connection.getresponse() as response:
            return Posted(response.status, response.getheader("retry-after", ""))


@contextlib.contextmanager
def _connection(
    url: str, deadline: float, *, may_be_private: bool
) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """Connect to a URL's host until the deadline, and give what is asked for there as well."""
    try:
        parts = urlsplit(url)
        port = parts.port or _port_of(parts.scheme)
        sock = _connected(parts, deadline, may_be_private=may_be_private)
    except (OSError, ValueError) as error:
        raise NotSentError(type(error).__name__) from error
    connection = http.client.HTTPConnection(parts.hostname or "", port)
    connection.default_port = _port_of(parts.scheme)
    with contextlib.closing(sock), _cut_off(sock, deadline):
        connection.sock = sock
        try:
            yield connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline
            raise NoAnswerError("not in time" if late else type(error).__name__) from error


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> None:
    own = {"accept-encoding": "identity", "connection": "close"}
    connection.request(method, target, body=body, headers={**own, **headers})


def _connected(parts: SplitResult, deadline: float, *, may_be_private: bool) -> socket.socket:
    """
    Connect to an address that was checked.

    It is this address that is connected to, and not the name again, which by then might lead somewhere else.
    """
    if not parts.hostname:
        raise ValueError("no host")
    port = parts.port or _port_of(parts.scheme)
    addresses = networks.look_up(parts.hostname, port, timeout=_left(deadline, networks.LOOKUP_TIMEOUT))
    if not all(
        networks.may_reach(networks.parsed(host), private_too=may_be_private) for host, _ in addresses
    ):
        raise ForbiddenAddressError
    failure = OSError("no address")
    for host, port in addresses:
        try:
            sock = socket.create_connection((host, port), timeout=_left(deadline, _CONNECT_TIMEOUT))
        except OSError as error:
            failure = error
            continue
        return _secured(sock, parts, deadline)
    raise failure


def _secured(sock: socket.socket, parts: SplitResult, deadline: float) -> socket.socket:
    try:
        sock.settimeout(_left(deadline, _SILENCE_TIMEOUT))
        if parts.scheme != "https":
            return sock
        # From here on the bare socket is an empty shell.
        sock = _tls().wrap_socket(sock, server_hostname=parts.hostname, do_handshake_on_connect=False)
        with _cut_off(sock, deadline):
            sock.do_handshake()
    except BaseException:
        sock.close()
        raise
    return sock


def _content(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    expected = response.length
    if expected is not None and expected > max_bytes:
        raise TooLargeError
    content = bytearray()
    while expected is None or len(content) < expected:
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        content += chunk
        if len(content) > max_bytes:
            raise TooLargeError
    if len(content) < (expected or 0):
        raise http.client.IncompleteRead(b"", (expected or 0) - len(content))
    return bytes(content)


@contextlib.contextmanager
def _cut_off(sock: socket.socket, deadline: float) -> Iterator[None]:
    """
    End the connection at the deadline.

    A socket's own timeout counts from the last byte, so a host that sends a byte now and then would hold us.
    """

    def cut() -> None:
        with contextlib.suppress(OSError):
            # Not TLS's own farewell, which may wait.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if time.monotonic() >= deadline:
        raise NoAnswerError("not in time")


def _port_of(scheme: str) -> int:
    if scheme not in {"http", "https"}:
        raise ValueError("neither http nor https")
    return 443 if scheme == "https" else 80


def _left(deadline: float, most: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(most, left)


@functools.cache
def _tls() -> ssl.SSLContext:
    # The same authorities as for what is posted.
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
