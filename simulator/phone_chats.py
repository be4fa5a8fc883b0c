"""What stands in the chats of the phone page: the newest messages of the newest chats, in memory."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from simulator.exchange import Json

MOST_CHATS = 200
MOST_MESSAGES = 200
TYPING_SECONDS = 25.0
# How far a message got; what comes later in this list wins over what comes earlier.
STATES = ("refused", "accepted", "sent", "taken", "delivered", "read", "failed")


@dataclass(slots=True)
class Message:
    """
    One bubble, by the `side` of the customer, of the business or of a person in the business's app.

    A customer's message is sent, taken (the webhook answered 200) or refused (it did not), and read; the
    business's is accepted, sent, delivered, read, or failed.
    """

    id: str
    side: str
    kind: str
    text: str
    content: object = None
    reply_to: str = ""
    state: str = "sent"
    note: str = ""
    at: float = field(default_factory=time.time)
    reactions: dict[str, str] = field(default_factory=dict)
    edits: int = 0
    is_deleted: bool = False

    def as_document(self) -> Json:
        """Return it as JSON; what was deleted is not told."""
        is_shown = not self.is_deleted
        return {
            "id": self.id,
            "side": self.side,
            "kind": self.kind,
            "text": self.text if is_shown else "",
            "content": self.content if is_shown else None,
            "reply_to": self.reply_to,
            "state": self.state,
            "note": self.note,
            "at": self.at,
            "reactions": self.reactions,
            "edits": self.edits,
            "is_deleted": self.is_deleted,
        }


@dataclass(slots=True)
class Chat:
    """A customer's chat with one of the business's numbers; `customer` is the id the business writes to."""

    channel: str
    number: str
    customer: str
    name: str = ""
    messages: OrderedDict[str, Message] = field(default_factory=OrderedDict)
    typing_until: float = 0.0

    @property
    def id(self) -> str:
        """Its name among chats."""
        return f"{self.channel}:{self.number}:{self.customer}"

    def as_document(self) -> Json:
        """Return it as JSON, without its messages."""
        return {
            "id": self.id,
            "channel": self.channel,
            "number": self.number,
            "customer": self.customer,
            "name": self.name,
            "typing_seconds": max(0.0, self.typing_until - time.time()),
        }


class Chats:
    """All chats; `on_change` is called with a chat and, when it is about one, a message."""

    def __init__(self, on_change: Callable[[Chat, Message | None], None]) -> None:
        """Start with no chat."""
        self._on_change = on_change
        self._chats: OrderedDict[str, Chat] = OrderedDict()
        self._of_message: dict[str, Chat] = {}

    def __iter__(self) -> Iterator[Chat]:
        return iter(self._chats.values())

    def chat(self, channel: str, number: str, customer: str, name: str = "") -> Chat:
        """Return the chat, made when there is none; it is then the newest."""
        wanted = Chat(channel, number, customer)
        chat = self._chats.setdefault(wanted.id, wanted)
        chat.name = name or chat.name
        self._chats.move_to_end(chat.id)
        if len(self._chats) > MOST_CHATS:
            _, oldest = self._chats.popitem(last=False)
            for message_id in oldest.messages:
                self._of_message.pop(message_id, None)
        return chat

    def business_chat(self, channel: str, number: str, customer: str) -> Chat:
        """Return the chat the business writes to; Facebook's pages are accounts by another id."""
        chat = self._chats.get(Chat(channel, number, customer).id)
        if chat is None and channel == "instagram":
            chat = next((one for one in reversed(self._chats.values()) if one.customer == customer), None)
        return (
            self.chat(chat.channel, chat.number, customer) if chat else self.chat(channel, number, customer)
        )

    def chat_of(self, message_id: str) -> Chat | None:
        """Return the chat a message is in."""
        return self._of_message.get(message_id)

    def message(self, message_id: str) -> Message | None:
        """Return a message by its id."""
        chat = self._of_message.get(message_id)
        return chat.messages.get(message_id) if chat else None

    def add(self, chat: Chat, message: Message) -> None:
        """Add a message unless it is there; the oldest of too many is forgotten."""
        if message.id in self._of_message:
            return
        chat.messages[message.id] = message
        self._of_message[message.id] = chat
        if len(chat.messages) > MOST_MESSAGES:
            oldest, _ = chat.messages.popitem(last=False)
            self._of_message.pop(oldest, None)
        if message.side != "customer":
            chat.typing_until = 0.0
        self._on_change(chat, message)

    def advance(self, message_id: str, state: str, note: str = "") -> None:
        """Note how far a message got; it never goes back. An unknown message is nothing to note."""
        chat, message = self.chat_of(message_id), self.message(message_id)
        if chat and message and _is_news(message.state, state):
            message.state, message.note = state, note
            self._on_change(chat, message)

    def read_until(self, message_id: str, sides: set[str]) -> None:
        """Note that a message and all before it, of these sides, were read."""
        chat = self.chat_of(message_id)
        for message in list(chat.messages.values()) if chat else ():
            if message.side in sides and message.state not in {"failed", "refused", "read"}:
                self.advance(message.id, "read")
            if message.id == message_id:
                return

    def react(self, message_id: str, side: str, emoji: str) -> None:
        """Put a reaction on a message, or take it off."""
        chat, message = self.chat_of(message_id), self.message(message_id)
        if chat and message:
            message.reactions = {**message.reactions, side: emoji}
            if not emoji:
                del message.reactions[side]
            self._on_change(chat, message)

    def edit(self, message_id: str, text: str) -> None:
        """Say a message anew."""
        chat, message = self.chat_of(message_id), self.message(message_id)
        if chat and message:
            message.text, message.edits = text, message.edits + 1
            self._on_change(chat, message)

    def delete(self, message_id: str) -> None:
        """Take a message back."""
        chat, message = self.chat_of(message_id), self.message(message_id)
        if chat and message:
            message.is_deleted = True
            self._on_change(chat, message)

    def type(self, chat: Chat, *, is_on: bool = True) -> None:
        """Show that the business types, until it writes or for `TYPING_SECONDS`."""
        chat.typing_until = time.time() + TYPING_SECONDS if is_on else 0.0
        self._on_change(chat, None)


def _is_news(old: str, new: str) -> bool:
    if new == "refused":
        return old == "sent"
    return STATES.index(new) > STATES.index(old)
