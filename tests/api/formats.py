"""What Schemathesis cannot know: our formats, and what a cursor looks like. It loads this file by itself."""

import os
from typing import Any
from zoneinfo import available_timezones

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

schemathesis.openapi.format("iana-timezone", st.sampled_from(sorted(available_timezones())))


@schemathesis.hook
def before_call(_context: Any, case: Any, **_kwargs: Any) -> None:
    """Put a real cursor where one should be right: no schema can tell one from any other text."""
    is_right = case.meta and case.meta.generation.mode is GenerationMode.POSITIVE
    if not is_right or "cursor" not in (case.query or {}):
        return
    first = {name: value for name, value in case.query.items() if name != "cursor"} | {"limit": 1}
    answer = requests.get(
        case.operation.schema.get_base_url().rstrip("/") + case.formatted_path,
        params=first,
        headers={"x-api-key": os.environ["API_KEY"]},
        timeout=10,
    )
    following = answer.json().get("next_cursor")
    case.query = {**first, "limit": case.query.get("limit", 50)} | (
        {"cursor": following} if following else {}
    )
