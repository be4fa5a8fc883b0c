"""One module per channel, each with what `Sender` lists; what is async runs on the process's event loop."""

from typing import Protocol

from channels_app.senders import instagram, webchat, whatsapp
from channels_app.senders.contract import NotDeliveredError, Outgoing, Seen


class Sender(Protocol):
    """What a channel's module offers; `parts(formatted(text))` is what gets sent."""

    async def send(self, outgoing: Outgoing) -> str:
        """Send a text and return the channel's id for it."""

    def formatted(self, text: str) -> str:
        """Turn Markdown into what the channel shows."""

    def parts(self, text: str) -> list[str]:
        """Cut a text into parts the channel takes."""

    async def show_typing(self, seen: Seen) -> None:
        """Show the customer that the message was read and is being answered; never fails."""


_SENDERS: dict[str, Sender] = {"whatsapp": whatsapp, "instagram": instagram, "webchat": webchat}


def for_channel(channel: str) -> Sender:
    """
    Return the sender of a channel.

    :raises NotDeliveredError: if the channel has none
    """
    if channel not in _SENDERS:
        raise NotDeliveredError(f"nothing can be sent on {channel} yet", code="no_sender")
    return _SENDERS[channel]
