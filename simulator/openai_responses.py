"""
POST /v1/responses: one turn of the simulated model.

https://developers.openai.com/api/reference/resources/responses
"""

import asyncio
import time
from collections.abc import Sequence

from simulator import identifiers, openai_errors, openai_items, openai_requests, replies
from simulator.exchange import Answer, Json, json_answer
from simulator.faults import Plan
from simulator.journal import Entry
from simulator.openai_store import Conversation, OpenAIStore

PROMPT_MODEL = "simulated-model"
ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


async def create(store: OpenAIStore, payload: Json, plan: Plan, entry: Entry) -> Answer:
    """
    Make a response, after as long as the plan says.

    A caller who hangs up does not stop it: the conversation stays locked until it is made, and gets its
    items.

    :raises RefusalError: if the API would refuse the request
    """
    openai_requests.check(payload, store)
    conversation = openai_requests.conversation_of(payload, store)
    new_items = openai_requests.new_items_of(payload)
    if conversation is not None and conversation.is_locked:
        raise openai_errors.locked()
    openai_requests.check_tool_outputs(conversation, new_items)
    if conversation is None:
        return await _made(store, None, payload, new_items, plan, entry)
    conversation.is_locked = True
    try:
        return await _made(store, conversation, payload, new_items, plan, entry)
    finally:
        conversation.is_locked = False


async def _made(  # noqa: PLR0917 - one step of create(), which has them all
    store: OpenAIStore,
    conversation: Conversation | None,
    payload: Json,
    new_items: list[Json],
    plan: Plan,
    entry: Entry,
) -> Answer:
    started = time.time()
    if plan.delay:
        await asyncio.sleep(plan.delay)
    if plan.error:
        return openai_errors.injected_answer(plan)
    unanswered = openai_items.since_last_answer(conversation.items.values()) if conversation else []
    reply = replies.reply(payload, [*unanswered, *new_items], plan.step)
    response = _response(payload, conversation, new_items, reply)
    response["created_at"] = int(started)
    entry.response_id = response["id"]
    entry.provider_ids = tuple(item["id"] for item in reply.output)
    if conversation is not None and reply.status != "failed":
        conversation.add((*new_items, *reply.output))
    if response["store"] is not False:
        store.keep_response(response)
    milliseconds = str(int((time.time() - started) * 1000)).encode()
    headers = [*openai_errors.response_headers(), (b"openai-processing-ms", milliseconds)]
    answer = json_answer(200, response, headers)
    answer.drop = plan.drop_after_accept
    return answer


def _response(
    payload: Json, conversation: Conversation | None, new_items: Sequence[Json], reply: replies.Reply
) -> Json:
    model = payload.get("model") or PROMPT_MODEL
    text = payload.get("text") or {}
    echoed = {
        name: payload[name] if payload.get(name) is not None else default for name, default in ECHOED.items()
    }
    return {
        "id": identifiers.openai_id("resp"),
        "object": "response",
        "created_at": 0,
        "status": reply.status,
        "completed_at": int(time.time()) if reply.status == "completed" else None,
        "error": reply.error,
        "incomplete_details": reply.incomplete_details,
        "model": model,
        "output": reply.output,
        "conversation": {"id": conversation.conversation_id} if conversation else None,
        "metadata": payload.get("metadata") or {},
        "service_tier": "default",
        "text": {
            "format": text.get("format") or {"type": "text"},
            "verbosity": text.get("verbosity") or "medium",
        },
        "usage": None if reply.status == "failed" else _usage(payload, conversation, new_items, reply),
        **echoed,
    }


def _usage(
    payload: Json, conversation: Conversation | None, new_items: Sequence[Json], reply: replies.Reply
) -> Json:
    before = conversation.tokens if conversation else 0
    read = before + openai_items.size(new_items) + len(str(payload.get("instructions") or "")) // 4
    written = openai_items.size(reply.output)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
