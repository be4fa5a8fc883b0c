"""What a JSON Schema of the OpenAPI document says, as rows of a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.document import resolved

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}
_FORMATS = {"date-time": "timestamp", "date": "date", "email": "e-mail address", "uri": "URL"}
# Fields that mean the same everywhere and have no description of their own.
_USUAL = {
    "user_id": "The business.",
    "agent_id": "The agent.",
    "prompt_id": "The prompt.",
    "phone_number_id": "The phone number.",
    "conversation_id": "The conversation.",
    "customer_id": "The customer.",
    "message_id": "The message.",
    "archive_id": "The archive.",
    "endpoint_id": "The webhook endpoint.",
    "url": "The URL that events are posted to.",
    "description": "A name for people; customers do not see it.",
    "disabled_at": "When it was switched off; null = it is on.",
    "disabled_reason": "Why it was switched off.",
    "previous_secret_expires_at": "Until this time the previous secret also signs events; null = none.",
    "created_at": "When it was created.",
    "email": "Its address.",
    "company_name": "Its name.",
    "timezone": "Its time zone.",
    "prefix": "Identifies the key everywhere else.",
    "expires_at": "When it expires; null = never.",
    "revoked_at": "When it was revoked.",
    "last_used_at": "When it was last used, approximately.",
    "remaining_credits": "The balance.",
    "last_updated": "When the balance last changed.",
    "balance_after": "The balance after this line.",
    "data": "The entries of this page.",
    "entry_id": "Its id.",
    "name": "Its name.",
    "customer": "The customer.",
    "username": "Their user name on the channel, if they have one.",
    "handover_reason": "Why the AI asked for a person.",
    "last_message_at": "The time of the last message.",
    "sender": "The customer or the business.",
    "author": "Who wrote it.",
    "kind": "Text, image, voice, … as the channel reports it.",
    "reaction": "The emoji with which the customer reacted to it.",
    "edited_at": "When the customer edited it.",
    "status": "The state of the message.",
    "failure_reason": "Why it failed.",
    "failed_at": "When it failed.",
    "unknown_at": "Since when it is unknown whether it arrived; null = it is known.",
    "sequence_no": "Its place in the conversation.",
    "tokens_used": "The tokens that it used.",
    "number": "Its number.",
    "instructions": "The instructions for the model.",
    "totals": "All days together.",
    "current_version": "The number of the current version.",
    "version": "The current version.",
    "type": "The channel.",
    "external_number": "The number or name that customers know.",
    "display_name": "A name for people; customers do not see it.",
    "sender_id": "The id that messages are sent from, if it is not the number's.",
    "api_base_url": "An address of Meta's Graph API; empty = the channel's default.",
    "prompt_version": "The version that it uses; null = the current one.",
    "fallback_message": "Sent if no reply could be created.",
    "unavailable_message": "Sent when the business has no credits left.",
    "handover_enabled": "Whether the model may hand a conversation over to a person.",
    "handover_message": "Sent when the AI hands over to a person.",
    "disclosure": "Put before the first AI reply of each conversation; empty = nothing is sent.",
    "archived_at": "When the change was made.",
    "closed_at": "When the conversations of the former agent were closed.",
    "deliveries": "How each part was sent.",
    "delivery_id": "Its id.",
    "attempt": "1 for the first attempt, and one more for each retry.",
    "part": "The number of the part; long texts are sent in several.",
    "state": "The state of this part.",
    "error": "What went wrong.",
    "sending_at": "When it was posted.",
    "updated_at": "When its state last changed.",
    "provider_message_id": "The channel's id of it, once it is known.",
    "parts": "The state of each part.",
    "reason": "Shown in the ledger.",
    "actor": "Who did it.",
    "context": "The values that fill the built-in variables.",
}


@dataclass(frozen=True)
class Field:
    """A member of a JSON object; of one inside another the name has dots, in a list also `[]`."""

    name: str
    type: str
    is_required: bool
    meaning: str


def fields(schema: dict[str, Any], *, above: str = "") -> Iterator[Field]:
    """Give the members of an object, each followed by its own."""
    schema = plain(schema)
    for name, told in schema.get("properties", {}).items():
        inner = plain(told)
        yield Field(above + name, type_of(inner), name in schema.get("required", []), _told(name, told))
        yield from _inside(inner, f"{above}{name}")


def _inside(schema: dict[str, Any], name: str) -> Iterator[Field]:
    if "properties" in schema:
        yield from fields(schema, above=f"{name}.")
    elif "items" in schema and "properties" in plain(schema["items"]):
        yield from fields(schema["items"], above=f"{name}[].")


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and make one of what is put together of several."""
    schema = resolved(schema)
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            parts = [plain(part) for part in schema[word]]
            whole = {name: told for name, told in schema.items() if name != word}
            if word == "allOf":
                return {name: told for part in [*parts, whole] for name, told in part.items()}
            return whole | _either(parts)
    return schema


def _either(parts: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        if part.get("maxLength") == 0:
            continue
        if "enum" in part:
            found["enum"] = [*found.get("enum", []), *part["enum"]]
        elif part.get("type") == "null":
            found["nullable"] = True
        else:
            found |= part
    return found


def _told(name: str, schema: dict[str, Any]) -> str:
    return meaning({**schema, "description": schema.get("description") or _USUAL.get(name, "")})


def type_of(schema: dict[str, Any]) -> str:
    """Say in a few words what may stand there."""
    schema = plain(schema)
    kinds = schema.get("type", "")
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    or_null = "null" in kinds or schema.get("nullable") or None in schema.get("enum", [])
    if "enum" in schema:
        text = ", ".join(f"`{value}`" for value in schema["enum"] if value not in {None, ""})
    elif "const" in schema:
        text = f"`{schema['const']}`"
    else:
        kind = next((kind for kind in kinds if kind != "null"), "")
        text = _FORMATS.get(schema.get("format", ""), kind) or "any"
        if kind == "array":
            text = f"list of {type_of(schema['items'])}"
    return f"{text} or null" if or_null else text


def meaning(schema: dict[str, Any]) -> str:
    """Say what a member is for and what its limits are."""
    told = plain(schema)
    # The description of a component says what it is, not what it is for here.
    text = schema.get("description", "")
    limits = [words.format(told[name]) for name, words in _LIMITS.items() if _matters(name, told)]
    if told.get("default") not in {None, ""} if not isinstance(told.get("default"), dict | list) else False:
        limits.append(f"default `{str(told['default']).lower()}`")
    sentence = ", ".join(limits)
    return " ".join(part for part in (_ended(text), _ended(sentence)) if part)


def _matters(name: str, schema: dict[str, Any]) -> bool:
    return name in schema and not (name == "minLength" and schema[name] <= 1)


def _ended(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return ""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
