"""
The web chat: nothing is posted, since a message's row is what visitors read.

Once it is `sent` it is shown; a notification wakes the open streams of the chat.
"""

import asyncio

from channels_app.senders.contract import Outgoing, Seen
from channels_app.senders.splitting import split
from channels_app.webchat import pubsub

MAX_LENGTH = 20_000


async def send(outgoing: Outgoing) -> str:
    """Return the id of the stored reply; nothing is posted."""
    return f"web:{outgoing.callback_data}"


def formatted(text: str) -> str:
    """Leave Markdown as it is: the widget renders it."""
    return text


def parts(text: str) -> list[str]:
    """Cut only what no person would read at once."""
    return split(text, limit=MAX_LENGTH, size=len)


async def show_typing(seen: Seen) -> None:
    """Show typing to whoever has the chat open; never fails."""
    await asyncio.to_thread(pubsub.publish, seen.customer_id, pubsub.TYPING)
