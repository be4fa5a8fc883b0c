"""The simulator's own endpoints under /_simulator, and the page at /."""

import base64
import binascii
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from simulator.behaviour import Behaviour, InvalidBehaviourError
from simulator.delivery import RETRY_DELAYS
from simulator.exchange import Answer, RefusalError, Request, json_answer
from simulator.graph_media import Media
from simulator.incoming import InvalidDeliveryError, build
from simulator.journal import DEFAULT_LIMIT, Wanted
from simulator.page import PAGE
from simulator.state import State

PREFIX = "/_simulator/"
OK = 200


async def answer(state: State, request: Request) -> Answer:
    """
    Answer one request to the simulator itself.

    :raises RefusalError: if it makes no sense
    """
    handler = ROUTES.get((request.method, request.path.removeprefix(PREFIX)))
    if handler is None:
        text = f"there is no {request.method} {request.path}; GET / lists what there is"
        return json_answer(404, {"error": text})
    return await handler(state, request)


async def _page(_state: State, _request: Request) -> Answer:
    return Answer(OK, PAGE.encode(), content_type=b"text/plain; charset=utf-8")


async def _health(_state: State, _request: Request) -> Answer:
    return json_answer(OK, {"status": "ok"})


async def _requests(state: State, request: Request) -> Answer:
    query = request.query()
    limit = _whole("limit", query.get("limit", str(DEFAULT_LIMIT)))
    lines = [entry.line() for entry in state.journal.page(_wanted(query), limit)] if limit else []
    return Answer(OK, b"[" + b",\n".join(lines) + b"]")


async def _count(state: State, request: Request) -> Answer:
    count = sum(1 for _ in state.journal.find(_wanted(request.query())))
    return json_answer(OK, {"count": count, "last_seq": state.journal.last_seq})


async def _clear(state: State, _request: Request) -> Answer:
    return json_answer(OK, {"cleared": state.journal.clear()})


async def _behaviour(state: State, _request: Request) -> Answer:
    return json_answer(OK, state.behaviour.as_document())


async def _change_behaviour(state: State, request: Request) -> Answer:
    try:
        state.behaviour = Behaviour(_object(request), state.behaviour)
    except InvalidBehaviourError as error:
        raise _refused(str(error)) from None
    state.feed.tell_behaviour(state.behaviour)
    return json_answer(OK, state.behaviour.as_document())


async def _deliver(state: State, request: Request) -> Answer:
    order = _object(request)
    try:
        incoming = build(state, order)
    except InvalidDeliveryError as error:
        raise _refused(str(error)) from None
    delivery = await state.courier.post(incoming.document, incoming.message_ids)
    if order.get("retry") and delivery.status != OK:
        state.courier.insist_later(RETRY_DELAYS[0], incoming.document, incoming.message_ids)
    outcome = {
        "status": delivery.status,
        "error": delivery.error,
        "message_ids": incoming.message_ids,
        "webhook_url": state.environment.webhook_url,
    }
    return json_answer(OK, outcome)


async def _register(state: State, request: Request) -> Answer:
    order = _object(request)
    try:
        data = base64.b64decode(str(order.get("data", "")), validate=True)
    except binascii.Error:
        raise _refused("data must be base64") from None
    if not data or not isinstance(order.get("mime_type"), str):
        raise _refused("data (base64) and mime_type must be given")
    media_id = str(order.get("id") or int.from_bytes(os.urandom(6)))
    state.media.add(media_id, Media(data, order["mime_type"]))
    return json_answer(OK, {"id": media_id})


async def _reset(state: State, _request: Request) -> Answer:
    await state.reset()
    return json_answer(OK, {"status": "ok"})


ROUTES: dict[tuple[str, str], Callable[[State, Request], Awaitable[Answer]]] = {
    ("GET", "/"): _page,
    ("GET", ""): _page,
    ("GET", "health"): _health,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _clear,
    ("GET", "requests/count"): _count,
    ("GET", "behaviour"): _behaviour,
    ("POST", "behaviour"): _change_behaviour,
    ("POST", "deliver"): _deliver,
    ("POST", "media"): _register,
    ("POST", "reset"): _reset,
}


def _wanted(query: dict[str, str]) -> Wanted:
    since = query.get("since_seq")
    return Wanted(
        api=query.get("api", ""),
        path=query.get("path", ""),
        contains=query.get("contains", ""),
        since_seq=None if since is None else _whole("since_seq", since),
    )


def _object(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _refused("the body must be a JSON object")
    return document


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise _refused(f"{name} must be a whole number")
    return int(text)


def _refused(message: str) -> RefusalError:
    return RefusalError(json_answer(400, {"error": message}))
