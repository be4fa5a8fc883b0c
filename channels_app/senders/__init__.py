"""One module per channel, each with `send` and `MAX_LENGTH`."""

from typing import Protocol

from channels_app.senders import whatsapp
from channels_app.senders.contract import NotDeliveredError, Outgoing


class Sender(Protocol):
    """What a channel's module offers."""

    MAX_LENGTH: int

    def send(self, outgoing: Outgoing) -> str:
        """Send a text and give the channel's id for it."""


_SENDERS: dict[str, Sender] = {"whatsapp": whatsapp}


def for_channel(channel: str) -> Sender:
    """
    Give the sender of a channel.

    :raises NotDeliveredError: if the channel has none
    """
    if channel not in _SENDERS:
        raise NotDeliveredError(f"nothing can be sent on {channel} yet", code="no_sender")
    return _SENDERS[channel]
