"""Says in words what a request in the journal is about, for the phone page's list of what happens."""

import json
from typing import Any

from simulator.exchange import Json
from simulator.journal import Entry

LONGEST_QUOTE = 80
# What is said of a request, and what it means to somebody who sees one for the first time.
Words = tuple[str, str]
CUSTOMER = (
    "Meta reports what the customer did. The service checks the signature, stores the message and "
    "responds 200. A worker does the rest."
)
STATUS = "Meta reports the state of the business's message: sent, delivered or read."
PERSON = (
    "A person answered in the app, and Meta echoes the message. The service stores it and pauses its "
    "AI for this customer."
)
ECHO = (
    "Instagram echoes every message of the business. The service recognizes its own. Any other came "
    "from a person, so it pauses its AI for this customer."
)
ASKED = (
    "A worker asks the model, with the agent's prompt and the conversation so far. The reply is stored, "
    "then sent."
)
LEARNED = "When a conversation has gone quiet, the model reads it for the customer's wishes: a lead."
HEARD = "Voice notes are transcribed before the model answers."
CONVERSATION = "OpenAI keeps its own copy of each conversation."
SENT = (
    "The stored reply goes to Meta, once. Webhooks report whether it arrives. If Meta refuses it, it "
    "is marked as failed, and staff can send it again."
)
SEEN = "The customer sees blue ticks, or “typing…”."
FETCHED = "A webhook contains only the id of a picture or voice note, so the service downloads the file."
OTHER = ""
_CONVERSATIONS = {
    "GET": "Reads the conversation",
    "DELETE": "Deletes the conversation",
    "POST": "Adds to the conversation",
}
_SENDS = {
    "image": "sends a picture",
    "audio": "sends a voice note",
    "video": "sends a video",
    "sticker": "sends a sticker",
    "document": "sends a document",
    "file": "sends a document",
    "location": "sends a place",
    "contacts": "sends a contact",
    "reaction": "reacts",
    "edit": "edits a message",
    "revoke": "deletes a message",
}


def summary(entry: Entry) -> Json:
    """Return an entry without its headers and body, and with words for it."""
    took = None if entry.t_done is None else round((entry.t_done - entry.t) * 1000)
    label, about = words(entry)
    return {
        "seq": entry.seq,
        "t": entry.t,
        "milliseconds": took,
        "api": entry.api,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "note": entry.note,
        "label": label,
        "about": about,
    }


def words(entry: Entry) -> Words:
    """Say what an entry is about, and what that means."""
    body = _body(entry)
    try:
        if entry.api == "openai":
            return _openai(entry, body)
        return _webhook(body) if entry.api == "webhook" else _graph(entry, body)
    except (KeyError, IndexError, TypeError, AttributeError):
        return "Something else", OTHER


def _body(entry: Entry) -> Json:
    try:
        body = json.loads(entry.raw or b"{}")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _openai(entry: Entry, body: Json) -> Words:
    if entry.path.startswith("/v1/audio"):
        return "Transcribes a voice note", HEARD
    if entry.path.startswith("/v1/conversations"):
        is_new = entry.path == "/v1/conversations"
        return "Opens a conversation" if is_new else _CONVERSATIONS[entry.method], CONVERSATION
    if entry.method != "POST" or entry.path != "/v1/responses":
        return "Looks up a response", OTHER
    is_lead = ((body.get("text") or {}).get("format") or {}).get("type") == "json_schema"
    return ("Asks for the lead", LEARNED) if is_lead else ("Asks the model", ASKED)


def _webhook(body: Json) -> Words:
    told = [_told(part) for entry in body["entry"] for part in entry.get("changes") or [entry]]
    if len(told) == 1:
        return told[0]
    return f"{len(told)} webhooks in one: {', '.join(label for label, _ in told)}", told[0][1]


def _told(part: Json) -> Words:
    return _instagram(part["messaging"]) if "messaging" in part else _whatsapp(part["value"])


def _whatsapp(value: Json) -> Words:
    if statuses := value.get("statuses"):
        return _status(statuses[0]), STATUS
    if echoes := value.get("message_echoes"):
        return f"A person writes from the app{_quote(echoes[0])}", PERSON
    messages = value["messages"]
    if len(messages) > 1:
        return f"The customer writes {len(messages)} messages", CUSTOMER
    return f"The customer {_done(messages[0], messages[0]['type'])}", CUSTOMER


def _status(status: Json) -> str:
    errors = status.get("errors") or [{}]
    why = f": {errors[0]['title']}" if errors[0].get("title") else ""
    return f"The business's message {'has' if why else 'is'} {status['status']}{why}"


def _instagram(events: list[Any]) -> Words:
    first = events[0]
    message = first.get("message", {})
    if message.get("is_echo"):
        return f"Echo of the business's message{_quote(message)}", ECHO
    if "read" in first:
        return _status({"status": "read"}), STATUS
    if len(events) > 1:
        return f"The customer writes {len(events)} messages", CUSTOMER
    attachment = (message.get("attachments") or [{}])[0].get("type")
    kind = "reaction" if "reaction" in first else "edit" if "message_edit" in first else attachment or "text"
    if message.get("is_deleted"):
        kind = "revoke"
    return f"The customer {_done(message, kind)}", CUSTOMER


def _done(message: Json, kind: str) -> str:
    if kind == "interactive" or "quick_reply" in message:
        return f"presses a button{_quote(message)}"
    return _SENDS.get(kind) or f"writes{_quote(message)}"


def _quote(message: Json) -> str:
    interactive = message.get("interactive") or {}
    pressed = (interactive.get(interactive.get("type")) or {}).get("title")
    text = message.get("text") or (message.get("message") or {}).get("text") or interactive.get("body")
    if isinstance(text, dict):
        text = text.get("body") or text.get("text")
    text = str(pressed or text or "")
    short = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return f": “{short}”" if short else ""


def _graph(entry: Entry, body: Json) -> Words:
    if entry.method == "GET":
        is_file = "cdn" in entry.path or "attachments" in entry.path
        return ("Fetches a file" if is_file else "Looks a file up"), FETCHED
    if body.get("status") == "read":
        return ("Marks it read, and types" if body.get("typing_indicator") else "Marks it read"), SEEN
    if action := body.get("sender_action"):
        return {"typing_on": "Types", "mark_seen": "Marks it read"}.get(action, str(action)), SEEN
    return f"Replies{_quote(body)}", SENT
