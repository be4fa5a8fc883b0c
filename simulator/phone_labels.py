"""Says in a few words what a request in the journal is about, for the phone page's list of what happens."""

import json
from typing import Any

from simulator.exchange import Json
from simulator.journal import Entry


def summary(entry: Entry) -> Json:
    """Return an entry without its headers and body, and with words for it."""
    took = None if entry.t_done is None else round((entry.t_done - entry.t) * 1000)
    return {
        "seq": entry.seq,
        "t": entry.t,
        "milliseconds": took,
        "api": entry.api,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "note": entry.note,
        "label": label(entry),
    }


def label(entry: Entry) -> str:
    """Say what an entry is about."""
    if entry.api == "openai":
        return _openai(entry)
    body = _body(entry)
    return _webhook(body) if entry.api == "webhook" else _graph(entry, body)


def _body(entry: Entry) -> Json:
    try:
        body = json.loads(entry.raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _openai(entry: Entry) -> str:
    if entry.path.startswith("/v1/audio"):
        return "Voice note to be written down"
    if entry.path.startswith("/v1/conversations"):
        if entry.path == "/v1/conversations":
            return "New conversation"
        return {"GET": "Conversation is read", "DELETE": "Conversation is deleted"}.get(
            entry.method, "Conversation is added to"
        )
    is_question = entry.method == "POST" and entry.path == "/v1/responses"
    return "The model is asked" if is_question else "A response is looked up"


def _webhook(body: Json) -> str:
    try:
        told = body["entry"][0]
        if "messaging" in told:
            return _instagram(told["messaging"])
        return _whatsapp(told["changes"][0]["value"])
    except (KeyError, IndexError, TypeError):
        return "Something else"


def _whatsapp(value: Json) -> str:
    if statuses := value.get("statuses"):
        return f"Message {statuses[0]['status']}"
    if value.get("message_echoes"):
        return "A person writes from the app"
    kinds = [message["type"] for message in value["messages"]]
    return _customer({"revoke": "delete", "interactive": "choice"}.get(kinds[0], kinds[0]), len(kinds))


def _instagram(events: list[Any]) -> str:
    first = events[0]
    message = first.get("message", {})
    if message.get("is_echo"):
        return "Echo of the account's own message"
    for name, words in (
        ("read", "Message read"),
        ("reaction", "Customer: reaction"),
        ("message_edit", "Customer: edit"),
    ):
        if name in first:
            return words
    if message.get("is_deleted"):
        return "Customer: delete"
    attachment = (message.get("attachments") or [{}])[0].get("type")
    return _customer("choice" if "quick_reply" in message else attachment or "text", len(events))


def _customer(kind: str, count: int) -> str:
    return f"Customer: {kind}" if count == 1 else f"Customer: {count} messages"


def _graph(entry: Entry, body: Json) -> str:
    if entry.method == "GET":
        return "File is fetched" if "cdn" in entry.path or "attachments" in entry.path else "Object is read"
    if body.get("status") == "read":
        return "Read, and typing" if body.get("typing_indicator") else "Read"
    if action := body.get("sender_action"):
        return {"typing_on": "Typing", "mark_seen": "Read"}.get(action, str(action))
    return "Business replies"
