"""What the simulated model says: plainly marked, and quoting everything it was asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulator import lead_reading, openai_items, schema_fill
from simulator.exchange import Json

MARK = "[simulated reply]"


@dataclass(slots=True)
class Reply:
    """The model's part of a response."""

    output: list[Json] = field(default_factory=list)
    status: str = "completed"
    error: Json | None = None
    incomplete_details: Json | None = None


def reply(payload: Mapping[str, Any], new_items: Sequence[Json], step: Mapping[str, Any]) -> Reply:
    """Return the answer to the new items of a conversation, or the one a script's step asks for."""
    status = step.get("response_status", "completed")
    if status == "failed":
        return Reply(
            status=status, error={"code": "server_error", "message": step.get("message", "Simulated.")}
        )
    output = []
    content = _content(payload, new_items, step)
    if content is not None:
        output.append(openai_items.message("assistant", [content], status=status))
    call = step.get("tool_call")
    if call is not None:
        arguments = call.get("arguments", {})
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        output.append(openai_items.function_call(call["name"], text))
    details = {"reason": step.get("reason", "max_output_tokens")} if status == "incomplete" else None
    return Reply(output, status, incomplete_details=details)


def quoting(new_items: Sequence[Json]) -> str:
    """Return the default answer: every text of the user, in order; else what a tool answered."""
    said = openai_items.texts(new_items, "user")
    if said:
        return f'{MARK} You wrote: "{" / ".join(said)}"'
    outputs = [str(item["output"]) for item in new_items if item["type"] == "function_call_output"]
    if outputs:
        return f'{MARK} The tool answered: "{" / ".join(outputs)}"'
    return f"{MARK} You wrote nothing."


def _content(payload: Mapping[str, Any], new_items: Sequence[Json], step: Mapping[str, Any]) -> Json | None:
    if "refusal" in step:
        return {"type": "refusal", "refusal": step["refusal"]}
    if "text" in step:
        return openai_items.output_text(step["text"])
    if "json" in step:
        return openai_items.output_text(json.dumps(step["json"]))
    if "tool_call" in step:
        return None
    wanted = (payload.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        text = json.dumps(_filled(wanted.get("schema") or {}, new_items))
    elif wanted.get("type") == "json_object":
        text = json.dumps({"simulated": True})
    else:
        text = quoting(new_items)
    return openai_items.output_text(
        text[: len(text) // 2] if step.get("response_status") == "incomplete" else text
    )


def _filled(schema: Json, new_items: Sequence[Json]) -> Any:
    if lead_reading.is_wanted(schema):
        return lead_reading.fill(schema, openai_items.texts(new_items, "user"))
    return schema_fill.fill(schema)
