"""
The checks on a request to POST /v1/responses.

https://developers.openai.com/api/reference/resources/responses
"""

from simulator import openai_errors, openai_items
from simulator.exchange import Json
from simulator.openai_conversations import checked_metadata
from simulator.openai_store import Conversation, OpenAIStore

KNOWN = {
    "access_programs", "background", "background_options", "context_management", "conversation", "image",
    "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model",
    "moderation", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier",
    "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs",
    "top_p", "truncation", "user",
}  # fmt: skip
FORMATS = ("text", "json_object", "json_schema")
TRUNCATIONS = (None, "auto", "disabled")
OBJECTS = ("prompt", "text", "reasoning")
LONGEST_SAFETY_IDENTIFIER = 128
FEWEST_OUTPUT_TOKENS = 16


def check(payload: Json, store: OpenAIStore) -> None:
    """
    Check everything but the conversation.

    :raises RefusalError: if the API would refuse the request
    """
    for name in payload:
        if name not in KNOWN:
            raise openai_errors.refused(
                400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )
    if payload.get("stream") or payload.get("background"):
        raise openai_errors.refused(400, "The simulator knows neither stream nor background.", param="stream")
    for name in OBJECTS:
        if payload.get(name) is not None and not isinstance(payload[name], dict):
            raise openai_errors.invalid_type(name, "an object")
    _check_prompt_or_model(payload)
    _check_previous(payload, store)
    _check_values(payload)
    _check_format(payload)
    checked_metadata(payload)


def conversation_of(payload: Json, store: OpenAIStore) -> Conversation | None:
    """
    Return the conversation the request names.

    :raises RefusalError: if there is no such conversation
    """
    given = payload.get("conversation")
    if given is None:
        return None
    conversation_id = given.get("id") if isinstance(given, dict) else given
    if not isinstance(conversation_id, str):
        raise openai_errors.invalid_type("conversation", "one of an object or a string")
    return store.conversation(conversation_id)


def check_tool_outputs(conversation: Conversation | None, new_items: list[Json]) -> None:
    """
    Check that every tool call has its output, and every output its call.

    :raises RefusalError: if one is missing
    """
    kept = conversation.items.values() if conversation and conversation.has_calls else ()
    calls: dict[str, bool] = {}
    for item in (*kept, *new_items):
        if item["type"] == "function_call":
            calls[item["call_id"]] = False
        elif item["type"] == "function_call_output":
            if item["call_id"] not in calls:
                text = f"No tool call found for function call output with call_id {item['call_id']}."
                raise openai_errors.refused(400, text, param="input")
            calls[item["call_id"]] = True
    for call_id, has_output in calls.items():
        if not has_output:
            raise openai_errors.refused(
                400, f"No tool output found for function call {call_id}.", param="input"
            )


def new_items_of(payload: Json) -> list[Json]:
    """
    Return the request's input as items.

    :raises RefusalError: if the API would refuse it
    """
    return openai_items.normalised_input(payload.get("input"))


def _check_prompt_or_model(payload: Json) -> None:
    prompt = payload.get("prompt")
    if prompt is None:
        if not payload.get("model"):
            raise openai_errors.missing("model")
        if not isinstance(payload["model"], str):
            raise openai_errors.invalid_type("model", "a string")
        if payload.get("input") is None and not payload.get("conversation"):
            raise openai_errors.missing("input")
    elif not isinstance(prompt.get("id"), str):
        raise openai_errors.missing("prompt.id")


def _check_previous(payload: Json, store: OpenAIStore) -> None:
    previous = payload.get("previous_response_id")
    if previous is None:
        return
    if payload.get("conversation") is not None:
        text = (
            "Mutually exclusive parameters: Ensure you are only providing one of: "
            "'previous_response_id' or 'conversation'."
        )
        raise openai_errors.refused(400, text, code="mutually_exclusive_parameters")
    if not isinstance(previous, str):
        raise openai_errors.invalid_type("previous_response_id", "a string")
    if store.response(previous) is None:
        raise openai_errors.refused(
            400,
            f"Previous response with id '{previous}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )


def _check_values(payload: Json) -> None:
    tokens = payload.get("max_output_tokens")
    if tokens is not None and (not isinstance(tokens, int) or tokens < FEWEST_OUTPUT_TOKENS):
        raise openai_errors.refused(
            400,
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{FEWEST_OUTPUT_TOKENS}, but got {tokens} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    if len(str(payload.get("safety_identifier") or "")) > LONGEST_SAFETY_IDENTIFIER:
        raise openai_errors.refused(
            400,
            "Invalid 'safety_identifier': string too long.",
            param="safety_identifier",
            code="string_above_max_length",
        )
    if payload.get("truncation") not in TRUNCATIONS:
        raise openai_errors.refused(
            400,
            f"Invalid value: '{payload['truncation']}'. Supported values are: 'auto' and 'disabled'.",
            param="truncation",
            code="invalid_value",
        )
    tools = payload.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise openai_errors.invalid_type("tools", "an array of objects")


def _check_format(payload: Json) -> None:
    wanted = (payload.get("text") or {}).get("format")
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") not in FORMATS:
        raise openai_errors.refused(400, "Invalid value.", param="text.format.type", code="invalid_value")
    if wanted["type"] == "json_schema":
        for name in ("name", "schema"):
            if not wanted.get(name):
                raise openai_errors.missing(f"text.format.{name}")
        if not isinstance(wanted["schema"], dict):
            raise openai_errors.invalid_type("text.format.schema", "an object")
