"""
The simulated OpenAI API under /v1.

https://developers.openai.com/api/reference
"""

import asyncio
import json

from simulator import openai_conversations, openai_errors, openai_responses
from simulator.exchange import Answer, Json, Request, json_answer
from simulator.faults import Plan
from simulator.journal import Entry
from simulator.state import State

AT_ONCE_BELOW = 500
TRANSCRIPT = "[simulated transcript]"


async def answer(state: State, request: Request, entry: Entry) -> Answer:
    """
    Answer one request to OpenAI.

    :raises RefusalError: if OpenAI would refuse it
    """
    if not request.bearer_token():
        raise openai_errors.refused(401, openai_errors.NO_KEY)
    parts = request.path.strip("/").split("/")[1:]
    match (request.method, *parts):
        case ("POST", "responses"):
            plan = state.behaviour.openai.plan(request.body, scripted=True)
            payload = _payload(request)
            if payload.get("prompt") and not state.behaviour.dashboard_prompts:
                raise openai_errors.prompt_ended(payload["prompt"])
            return _fate(plan) or await openai_responses.create(state.openai, payload, plan, entry)
        case ("POST", "audio", "transcriptions"):
            plan = state.behaviour.openai.plan()
            return _fate(plan) or await _transcription(request, plan)
        case ("GET", "models"):
            return _models(state)
        case (_, "responses", response_id):
            return _kept_response(state, request, response_id)
        case (_, "conversations", *rest):
            return await _conversations(state, request, rest)
    raise openai_errors.refused(404, f"Invalid URL ({request.method} {request.path})")


async def _conversations(state: State, request: Request, rest: list[str]) -> Answer:
    plan = state.behaviour.conversations.plan()
    early = _fate(plan)
    if early:
        return early
    if plan.delay:
        await asyncio.sleep(plan.delay)
    if plan.error:
        return openai_errors.injected_answer(plan)
    payload = _payload(request) if request.method == "POST" and request.body else {}
    answered = openai_conversations.answer(state.openai, request, rest, payload)
    answered.drop = plan.drop_after_accept
    return answered


def _fate(plan: Plan) -> Answer | None:
    """Return what happens before the service gets to think: silence, or a refusal at the door."""
    if plan.drop or plan.hang:
        return Answer(drop=plan.drop, hang=plan.hang)
    at_once = plan.error and int(plan.error.partition(":")[0]) < AT_ONCE_BELOW
    return openai_errors.injected_answer(plan) if at_once and "delay" not in plan.step else None


def _payload(request: Request) -> Json:
    try:
        payload = json.loads(request.body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise openai_errors.refused(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
            "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not "
            "valid JSON. If you have trouble figuring out how to fix this, please contact us through our "
            "help center at help.openai.com.)",
        )
    return payload


def _models(state: State) -> Answer:
    """
    List the models.

    https://developers.openai.com/api/reference/resources/models/methods/list
    """
    plan = state.behaviour.openai.plan()
    if plan.error:
        return openai_errors.injected_answer(plan)
    models = [
        {"id": name, "object": "model", "created": 1_780_000_000, "owned_by": "openai", "shutdown_date": on}
        for name, on in state.behaviour.models.items()
    ]
    return json_answer(200, {"object": "list", "data": models}, openai_errors.response_headers())


def _kept_response(state: State, request: Request, response_id: str) -> Answer:
    response = state.openai.response(response_id)
    if response is None:
        raise openai_errors.not_found("Response", response_id)
    if request.method == "DELETE":
        state.openai.forget_response(response_id)
        response = {"id": response_id, "object": "response", "deleted": True}
    return json_answer(200, response, openai_errors.response_headers())


async def _transcription(request: Request, plan: Plan) -> Answer:
    for field in ("file", "model"):
        if f'name="{field}"'.encode() not in request.body:
            raise openai_errors.missing(field)
    if plan.delay:
        await asyncio.sleep(plan.delay)
    if plan.error:
        return openai_errors.injected_answer(plan)
    return json_answer(200, {"text": TRANSCRIPT}, openai_errors.response_headers())
