"""
Conversation items: what callers may send, brought into the form in which they are kept and listed.

https://developers.openai.com/api/reference/resources/conversations
"""

from collections.abc import Iterable
from typing import Any

from simulator import identifiers, openai_errors
from simulator.exchange import Json

ROLES = ("user", "assistant", "system", "developer")
INPUT_PARTS = ("input_text", "input_image", "input_file", "input_audio")
OUTPUT_PARTS = ("output_text", "refusal")
TEXT_PARTS = ("input_text", "output_text", "refusal")
PLACEHOLDERS = {"input_image": "[picture]", "input_file": "[file]", "input_audio": "[audio]"}
ID_PREFIXES = {"function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}


def normalised_input(given: object) -> list[Json]:
    """
    Bring a response's ``input`` into the form in which it is kept.

    :raises RefusalError: if the API would refuse it
    """
    if given is None:
        return []
    if isinstance(given, str):
        return [message("user", [{"type": "input_text", "text": given}])]
    if not isinstance(given, list):
        raise openai_errors.invalid_type("input", "one of a string or an array of objects")
    return normalised(given, "input")


def normalised(given: Iterable[object], param: str) -> list[Json]:
    """
    Bring items into the form in which they are kept; references to kept items are left out.

    :raises RefusalError: if the API would refuse one
    """
    kept = []
    for index, item in enumerate(given):
        where = f"{param}[{index}]"
        if not isinstance(item, dict):
            raise openai_errors.invalid_type(where, "an object")
        kind = str(item.get("type", "message" if "role" in item else None))
        if kind == "message":
            kept.append(_message(item, where))
        elif kind in ID_PREFIXES:
            kept.append(_other(item, kind, where))
        elif kind != "item_reference":
            raise openai_errors.refused(
                400, f"Invalid value: '{kind}'.", param=f"{where}.type", code="invalid_value"
            )
    return kept


def message(role: str, content: list[Json], *, status: str = "completed", item_id: str = "") -> Json:
    """Build a message item."""
    return {
        "id": item_id or identifiers.openai_id("msg"),
        "type": "message",
        "status": status,
        "role": role,
        "content": content,
    }


def output_text(text: str) -> Json:
    """Build the content part of an answer."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def function_call(name: str, arguments: str) -> Json:
    """Build the item of a tool call."""
    return {
        "id": identifiers.openai_id("fc"),
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{identifiers.openai_id('')[1:25]}",
        "name": name,
        "arguments": arguments,
    }


def texts(items: Iterable[Json], *roles: str) -> list[str]:
    """Return what was said in these roles, a text for each message; pictures show as placeholders."""
    return [_said(item["content"]) for item in items if item["type"] == "message" and item["role"] in roles]


def since_last_answer(items: Iterable[Json]) -> list[Json]:
    """Return what was said after the last answer, as when that answer was taken out again."""
    unanswered: list[Json] = []
    for item in items:
        if item["type"] == "function_call" or item.get("role") == "assistant":
            unanswered.clear()
        else:
            unanswered.append(item)
    return unanswered


def size(items: Iterable[Json]) -> int:
    """Return a rough count of tokens."""
    total = 0
    for item in items:
        total += 4
        for part in item.get("content") or ():
            total += len(part.get("text") or part.get("refusal") or "") // 4 + 1
        total += len(str(item.get("arguments") or item.get("output") or "")) // 4
    return total


def _said(content: Iterable[Json]) -> str:
    parts = (part.get("text") or PLACEHOLDERS.get(part["type"], "") for part in content)
    return " ".join(part for part in parts if part)


def _message(item: Json, where: str) -> Json:
    role = item.get("role")
    if role not in ROLES:
        supported = ", ".join(f"'{name}'" for name in ROLES)
        raise openai_errors.refused(
            400,
            f"Invalid value: '{role}'. Supported values are: {supported}.",
            param=f"{where}.role",
            code="invalid_value",
        )
    item_id = item.get("id") or ""
    content = item.get("content")
    if isinstance(content, str):
        part = output_text(content) if role == "assistant" else {"type": "input_text", "text": content}
        return message(role, [part], item_id=item_id)
    if not isinstance(content, list):
        raise openai_errors.missing(f"{where}.content")
    allowed = OUTPUT_PARTS if role == "assistant" else INPUT_PARTS
    parts = [_part(part, allowed, f"{where}.content[{index}]") for index, part in enumerate(content)]
    return message(role, parts, item_id=item_id)


def _part(part: Any, allowed: tuple[str, ...], where: str) -> Json:
    if not isinstance(part, dict):
        raise openai_errors.invalid_type(where, "an object")
    kind = part.get("type")
    if kind not in allowed:
        supported = " and ".join(f"'{name}'" for name in allowed)
        raise openai_errors.refused(
            400,
            f"Invalid value: '{kind}'. Supported values are: {supported}.",
            param=where,
            code="invalid_value",
        )
    name = "refusal" if kind == "refusal" else "text"
    if kind in TEXT_PARTS and not isinstance(part.get(name), str):
        raise openai_errors.missing(f"{where}.{name}")
    return output_text(part["text"]) if kind == "output_text" else part


def _other(item: Json, kind: str, where: str) -> Json:
    required = {
        "function_call": ("call_id", "name", "arguments"),
        "function_call_output": ("call_id", "output"),
    }
    for name in required.get(kind, ()):
        if name not in item:
            raise openai_errors.missing(f"{where}.{name}")
    if not isinstance(item.get("call_id", ""), str):
        raise openai_errors.invalid_type(f"{where}.call_id", "a string")
    return {**item, "id": item.get("id") or identifiers.openai_id(ID_PREFIXES[kind]), "status": "completed"}
