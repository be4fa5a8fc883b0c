"""One HTTP exchange as the APIs see it: a request that was read, and the answer to give."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
Json = dict[str, Any]


@dataclass(slots=True)
class Request:
    """A request with its whole body; header names are lower case."""

    method: str
    path: str
    query_string: bytes
    headers: dict[bytes, bytes]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's value, "" when it was not sent."""
        return self.headers.get(name.encode("latin-1"), b"").decode("latin-1")

    def query(self) -> dict[str, str]:
        """Return the query parameters; of a repeated one the last counts."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    def bearer_token(self) -> str:
        """Return the bearer token, "" when there is none."""
        kind, _, token = self.header("authorization").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


@dataclass(slots=True)
class Answer:
    """
    What goes back to the caller.

    With `hang` the call stays unanswered for that many seconds; with `hang` or `drop` the connection is then
    closed without a byte.
    """

    status: int = 200
    body: bytes = b""
    headers: Iterable[Header] = ()
    content_type: bytes = b"application/json"
    drop: bool = False
    hang: float = 0.0

    @property
    def is_silent(self) -> bool:
        """Tell whether the caller never gets this answer."""
        return self.drop or self.hang > 0


class RefusalError(Exception):
    """The request cannot be served; `answer` says so in the words of the API addressed."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer to give."""
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


def json_answer(status: int, document: object, headers: Iterable[Header] = ()) -> Answer:
    """Build an answer with a JSON body."""
    return Answer(status, json.dumps(document).encode(), headers)


def spellings(text: str) -> tuple[bytes, ...]:
    """Return the ways a JSON body may spell a text: plain, escaped, and with slashes escaped too."""
    escaped = json.dumps(text)[1:-1].encode()
    return text.encode(errors="surrogatepass"), escaped, escaped.replace(b"/", b"\\/")


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read one request with its whole body."""
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return Request(scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]), body)


async def send_answer(answer: Answer, send: Send) -> None:
    """Send one answer."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
