"""Deletes at OpenAI what it keeps of a customer: conversations with their items, and responses."""

import contextlib

import structlog

from agents import openai_client
from agents.openai_client import ConversationLostError

log = structlog.get_logger(__name__)


async def delete_conversation(conversation_id: str, *, deadline: float) -> None:
    """
    Delete a conversation and all its items; one that is gone already does not matter.

    Once, without another attempt: the caller comes again. OpenAI keeps the items of a conversation that is
    deleted, so these are deleted first.

    https://developers.openai.com/api/reference/resources/conversations/methods/delete

    :raises ForeignError: if it could not be deleted
    """
    path = f"/conversations/{conversation_id}"
    try:
        while items := await _some_items(path, deadline):
            for item_id in items:
                with contextlib.suppress(ConversationLostError):
                    await openai_client.call("DELETE", f"{path}/items/{item_id}", deadline=deadline)
        await openai_client.call("DELETE", path, deadline=deadline)
    except ConversationLostError:
        log.info("llm.conversation_gone", openai_conversation_id=conversation_id)


async def _some_items(path: str, deadline: float) -> list[str]:
    page = await openai_client.call("GET", f"{path}/items", query={"limit": 100}, deadline=deadline)
    return [str(item["id"]) for item in page.get("data") or () if item.get("id")]


async def delete_response(response_id: str, *, deadline: float) -> None:
    """
    Delete a response that OpenAI keeps; one that is gone already does not matter.

    https://developers.openai.com/api/reference/resources/responses/methods/delete

    :raises ForeignError: if it could not be deleted
    """
    with contextlib.suppress(ConversationLostError):
        await openai_client.call("DELETE", f"/responses/{response_id}", deadline=deadline)
