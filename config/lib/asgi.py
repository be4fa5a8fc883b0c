"""Requests and answers on the event loop, as ASGI has them."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def headers_of(raw_headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones are joined, and so prove nothing."""
    headers: dict[str, str] = {}
    for name, value in raw_headers:
        # With an underscore it could pass for another header: WSGI writes both alike.
        if b"_" not in name:
            key, text = name.decode("latin1").lower(), value.decode("latin1")
            headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def address_of(scope: Scope, headers: Mapping[str, str], *, proxies: int) -> str:
    """Return the client's address behind so many proxies of ours, as DRF's throttles compute it."""
    forwarded_for = headers.get("x-forwarded-for")
    if not proxies or forwarded_for is None:
        return str((scope.get("client") or ("",))[0])
    hops = forwarded_for.split(",")
    return hops[-min(proxies, len(hops))].strip()


async def hung_up(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def begin(send: Send, status: int, headers: Mapping[str, str]) -> None:
    """Send the head of an answer."""
    encoded = [(name.lower().encode("latin1"), value.encode("latin1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": encoded})


async def send_json(send: Send, status: int, content: Any, headers: Mapping[str, str]) -> None:
    """Send a whole answer; of nothing, an empty one."""
    body = b"" if content is None else json.dumps(content).encode()
    kind = {} if content is None else {"Content-Type": "application/json"}
    await begin(send, status, kind | {"Content-Length": str(len(body))} | dict(headers))
    await send({"type": "http.response.body", "body": body})
