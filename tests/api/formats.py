"""
What Schemathesis cannot know: our formats, what a cursor looks like, and who visits a web chat.

It loads this file by itself.
"""

import json
import os
from typing import Any
from zoneinfo import available_timezones

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

VISITOR = json.loads(os.environ["VISITOR"])

schemathesis.openapi.format("iana-timezone", st.sampled_from(sorted(available_timezones())))


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Leave out an empty address that counts as wrong: it fits the second of the field's two forms."""
    is_wrong = case.meta and case.meta.generation.mode is GenerationMode.NEGATIVE
    return not (is_wrong and isinstance(case.body, dict) and case.body.get("notify_email") == "")


@schemathesis.hook
def before_call(_context: Any, case: Any, **_kwargs: Any) -> None:
    """Put what is real where something should be right: no schema can tell it from any other text."""
    is_right = case.meta and case.meta.generation.mode is GenerationMode.POSITIVE
    if case.path.startswith("/webchat/"):
        _visit(case, is_right=is_right)
    elif is_right and "cursor" in (case.query or {}):
        _go_on(case)


def _visit(case: Any, *, is_right: bool) -> None:
    """Have it done on a page that is allowed; what is right, in the visitor's own chat."""
    case.headers = {**(case.headers or {}), "Origin": VISITOR["origin"]}
    if not is_right:
        return
    case.path_parameters["phone_number_id"] = VISITOR["chat"]
    if "after" in (case.query or {}):
        case.query["after"] = _place_in_chat(case)
    if isinstance(case.body, dict) and "cursor" in case.body:
        case.body["cursor"] = _place_in_chat(case)
    if isinstance(case.body, dict) and "message_id" in case.body:
        # Without a picture it needs one, and pictures are nobody else's.
        case.body.pop("file_id", None)
        case.body["text"] = case.body.get("text", "").strip() or "Hello"


def _place_in_chat(case: Any) -> str:
    answer = requests.get(
        f"{case.operation.schema.get_base_url().rstrip('/')}/webchat/{VISITOR['chat']}/messages",
        headers={"Origin": VISITOR["origin"], "Authorization": f"Bearer {VISITOR['session']}"},
        timeout=60,
    )
    # Whoever reads too often gets none; an empty one is refused as it should be.
    return answer.json().get("cursor", "")


@schemathesis.auth().apply_to(path_regex="^/webchat/.+")
class Session:
    """The visitor's session."""

    def get(self, _case: Any, _context: Any) -> str:
        """Give its token."""
        return VISITOR["session"]

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Send it."""
        case.headers["Authorization"] = f"Bearer {data}"


def _go_on(case: Any) -> None:
    first = {name: value for name, value in case.query.items() if name != "cursor"} | {"limit": 1}
    answer = requests.get(
        case.operation.schema.get_base_url().rstrip("/") + case.formatted_path,
        params=first,
        headers={"x-api-key": os.environ["API_KEY"]},
        timeout=60,
    )
    following = answer.json().get("next_cursor")
    case.query = {**first, "limit": case.query.get("limit", 50)} | (
        {"cursor": following} if following else {}
    )
