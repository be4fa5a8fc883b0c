"""
The simulator as an ASGI application, for one process: what it remembers is in its memory.

    granian --interface asgi --host 127.0.0.1 --port 9090 simulator.asgi:application
"""

import json
from collections.abc import Awaitable, Callable

from simulator import connection, control, environment, graph_api, openai_api, phone_page
from simulator.exchange import (
    Answer,
    Receive,
    RefusalError,
    Request,
    Scope,
    Send,
    read_request,
    send_answer,
)
from simulator.journal import Entry
from simulator.state import State

FIRST_ERROR = 400
Api = Callable[[State, Request, Entry], Awaitable[Answer]]


class Simulator:
    """Speaks ASGI, tells the APIs apart, and keeps the journal."""

    def __init__(self) -> None:
        """Read the environment; a wrong variable ends the process here."""
        self.state = State(environment.read())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown":
                self.state.feed.close()
                await self.state.courier.close()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request.method == "GET" and request.path == phone_page.EVENTS_PATH:
            await self.state.feed.stream(receive, send)
            return
        api = _api_of(request.path)
        answer = await (self._control(request) if api is None else self._noted(*api, request))
        if answer.hang:
            await connection.hang(receive, answer.hang)
        if not answer.is_silent or not connection.close(scope):
            await send_answer(answer, send)

    async def _control(self, request: Request) -> Answer:
        try:
            if phone_page.is_addressed(request):
                return phone_page.answer(self.state, request)
            return await control.answer(self.state, request)
        except RefusalError as refusal:
            return refusal.answer

    async def _noted(self, name: str, api: Api, request: Request) -> Answer:
        entry = self.state.journal.begin(name, request)
        try:
            answer = await api(self.state, request, entry)
        except RefusalError as refusal:
            answer = refusal.answer
        except Exception:
            self.state.journal.finish(entry, 500, "the simulator failed")
            raise
        note = "hung" if answer.hang else "dropped" if answer.drop else _refusal(answer)
        self.state.journal.finish(entry, None if answer.is_silent else answer.status, note)
        return answer


def _refusal(answer: Answer) -> str:
    """Return the words in which an answer refuses, "" when it does not."""
    if answer.status < FIRST_ERROR:
        return ""
    try:
        error = json.loads(answer.body)["error"]
        return str(error.get("error_data", {}).get("details") or error["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _api_of(path: str) -> tuple[str, Api] | None:
    if path.startswith("/v1/"):
        return "openai", openai_api.answer
    if graph_api.is_addressed(path):
        return "graph", graph_api.answer
    return None


application = Simulator()
