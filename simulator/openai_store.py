"""What the simulated OpenAI remembers: conversations with their items, and responses."""

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator import identifiers, openai_errors, openai_items
from simulator.exchange import Json

RESPONSES_KEPT = 10_000


@dataclass(slots=True)
class Conversation:
    """A conversation; `is_locked` while a response is being made on it."""

    conversation_id: str
    created_at: int
    metadata: Json
    items: dict[str, Json] = field(default_factory=dict)
    tokens: int = 0
    is_locked: bool = False
    has_calls: bool = False

    def add(self, items: Iterable[Json]) -> None:
        """Add items at the end."""
        for item in items:
            self.items[item["id"]] = item
            self.has_calls = self.has_calls or item["type"].startswith("function_call")
            self.tokens += openai_items.size((item,))

    def remove(self, item: Json) -> None:
        """Take an item out."""
        del self.items[item["id"]]
        self.tokens -= openai_items.size((item,))

    def as_document(self) -> Json:
        """Return the conversation as the API shows it."""
        return {
            "id": self.conversation_id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": self.metadata,
        }


class OpenAIStore:
    """Everything kept, in memory only."""

    def __init__(self) -> None:
        """Start empty."""
        self.conversations: dict[str, Conversation] = {}
        self._responses: OrderedDict[str, Json] = OrderedDict()

    def create(self, items: Iterable[Json], metadata: Json) -> Conversation:
        """Create a conversation."""
        conversation = Conversation(identifiers.openai_id("conv"), int(time.time()), metadata)
        conversation.add(items)
        self.conversations[conversation.conversation_id] = conversation
        return conversation

    def conversation(self, conversation_id: str) -> Conversation:
        """
        Return a conversation.

        :raises RefusalError: if there is none with this id
        """
        conversation = self.conversations.get(conversation_id)
        if conversation is None:
            raise openai_errors.not_found("Conversation", conversation_id)
        return conversation

    def keep_response(self, response: Json) -> None:
        """Remember a response; the oldest is forgotten when there are too many."""
        self._responses[response["id"]] = response
        if len(self._responses) > RESPONSES_KEPT:
            self._responses.popitem(last=False)

    def response(self, response_id: str) -> Json | None:
        """Return a remembered response."""
        return self._responses.get(response_id)

    def forget_response(self, response_id: str) -> None:
        """Forget a response."""
        self._responses.pop(response_id, None)
