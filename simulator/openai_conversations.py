"""
The endpoints under /v1/conversations.

https://developers.openai.com/api/reference/resources/conversations
"""

from collections.abc import Sequence

from simulator import openai_errors, openai_items
from simulator.exchange import Answer, Json, Request, json_answer
from simulator.openai_errors import response_headers
from simulator.openai_store import Conversation, OpenAIStore

MOST_ITEMS = 20
MOST_METADATA = 16
LONGEST_KEY = 64
LONGEST_VALUE = 512
LARGEST_PAGE = 100


def answer(store: OpenAIStore, request: Request, parts: Sequence[str], payload: Json) -> Answer:
    """
    Answer one request; `parts` is the path after ``/v1/conversations``.

    :raises RefusalError: if the API would refuse it
    """
    document: Json | None = None
    match (request.method, *parts):
        case ("POST",):
            document = _create(store, payload)
        case ("GET", conversation_id):
            document = store.conversation(conversation_id).as_document()
        case ("POST", conversation_id):
            document = _update(store.conversation(conversation_id), payload)
        case ("DELETE", conversation_id):
            document = _delete(store, conversation_id)
        case ("GET", conversation_id, "items"):
            document = _list(store.conversation(conversation_id), request.query())
        case ("POST", conversation_id, "items"):
            document = _add(store.conversation(conversation_id), payload)
        case ("GET", conversation_id, "items", item_id):
            document = _item(store.conversation(conversation_id), item_id)
        case ("DELETE", conversation_id, "items", item_id):
            document = _remove(store.conversation(conversation_id), item_id)
    if document is None:
        raise openai_errors.refused(404, f"Invalid URL ({request.method} {request.path})")
    return json_answer(200, document, response_headers())


def checked_metadata(payload: Json) -> Json:
    """
    Return the request's metadata.

    :raises RefusalError: if there is too much of it
    """
    metadata = payload.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise openai_errors.invalid_type("metadata", "an object")
    if len(metadata) > MOST_METADATA:
        raise openai_errors.refused(
            400,
            "Invalid 'metadata': too many properties. Expected an object with at most "
            f"{MOST_METADATA} properties.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in metadata.items():
        if len(key) > LONGEST_KEY or not isinstance(value, str) or len(value) > LONGEST_VALUE:
            raise openai_errors.refused(
                400, f"Invalid 'metadata.{key}'.", param=f"metadata.{key}", code="invalid_value"
            )
    return metadata


def _checked_items(payload: Json) -> list[Json]:
    items = payload.get("items") or []
    if not isinstance(items, list):
        raise openai_errors.invalid_type("items", "an array of objects")
    if len(items) > MOST_ITEMS:
        raise openai_errors.refused(
            400,
            f"Invalid 'items': array too long. Expected an array with maximum length {MOST_ITEMS}, "
            f"but got an array with length {len(items)} instead.",
            param="items",
            code="array_above_max_length",
        )
    return openai_items.normalised(items, "items")


def _create(store: OpenAIStore, payload: Json) -> Json:
    return store.create(_checked_items(payload), checked_metadata(payload)).as_document()


def _update(conversation: Conversation, payload: Json) -> Json:
    if "metadata" not in payload:
        raise openai_errors.missing("metadata")
    conversation.metadata = checked_metadata(payload)
    return conversation.as_document()


def _delete(store: OpenAIStore, conversation_id: str) -> Json:
    store.conversation(conversation_id)
    del store.conversations[conversation_id]
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


def _add(conversation: Conversation, payload: Json) -> Json:
    if not payload.get("items"):
        raise openai_errors.missing("items")
    items = _checked_items(payload)
    conversation.add(items)
    return _page(items, has_more=False)


def _list(conversation: Conversation, query: dict[str, str]) -> Json:
    order = query.get("order", "desc")
    limit = query.get("limit", "20")
    if order not in {"asc", "desc"}:
        raise openai_errors.refused(400, f"Invalid value: '{order}'.", param="order", code="invalid_value")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= LARGEST_PAGE:
        raise openai_errors.refused(
            400, f"Invalid 'limit': expected 1 to {LARGEST_PAGE}.", param="limit", code="invalid_value"
        )
    items = list(conversation.items.values())
    if order == "desc":
        items.reverse()
    after = query.get("after")
    if after:
        ids = [item["id"] for item in items]
        if after not in ids:
            raise openai_errors.not_found("Item", after)
        items = items[ids.index(after) + 1 :]
    return _page(items[: int(limit)], has_more=len(items) > int(limit))


def _page(items: list[Json], *, has_more: bool) -> Json:
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def _item(conversation: Conversation, item_id: str) -> Json:
    item = conversation.items.get(item_id)
    if item is None:
        raise openai_errors.not_found("Item", item_id)
    return item


def _remove(conversation: Conversation, item_id: str) -> Json:
    conversation.remove(_item(conversation, item_id))
    return conversation.as_document()
