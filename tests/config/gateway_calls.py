"""Requests to the ASGI applications, without a server."""

import asyncio
import json
from typing import Any

WEBHOOK = "/webhook/meta"
SIGNATURE = "sha256=" + "0" * 64


class Call:
    """One request to an ASGI application; `received` counts how many parts of its body were read."""

    def __init__(
        self, method: str, path: str, *parts: bytes, query: str = "", is_complete: bool = True, **headers: str
    ):
        self.parts = list(parts) or [b""]
        self.is_complete = is_complete
        self.received = 0
        self.sent: list[dict] = []
        named = {"host": "localhost"} | {
            name.replace("_", "-").lower(): value for name, value in headers.items()
        }
        self.scope = {
            "type": "http", "method": method, "path": path, "scheme": "http", "query_string": query.encode(),
            "http_version": "1.1", "client": ("203.0.113.7", 4711),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }  # fmt: skip

    async def receive(self) -> dict:
        if self.received < len(self.parts):
            part = self.parts[self.received]
            self.received += 1
            is_last = self.is_complete and self.received == len(self.parts)
            return {"type": "http.request", "body": part, "more_body": not is_last}
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(self, message: dict) -> None:
        # What is received after the response is only thrown away.
        if message["type"] == "http.response.start":
            self.received_before = self.received
        self.sent.append(message)

    async def to(self, application: Any) -> "Call":
        task = asyncio.ensure_future(application(self.scope, self.receive, self.send))
        while not task.done() and not (self.sent and not self.sent[-1].get("more_body", True)):
            await asyncio.sleep(0.001)
        if not task.done():
            task.cancel()
        elif task.exception():
            raise task.exception()
        return self

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def json(self) -> Any:
        return json.loads(b"".join(part["body"] for part in self.sent[1:]))

    @property
    def code(self) -> str:
        return str(self.json["code"])


def call(application: Any, method: str, path: str, *parts: bytes, **more: Any) -> Call:
    return asyncio.run(Call(method, path, *parts, **more).to(application))
