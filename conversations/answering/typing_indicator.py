"""Shows the customer that their message was read and is being answered, without making them wait for that."""

import asyncio

from django.conf import settings

from channels_app import senders
from channels_app.models import PhoneNumber
from channels_app.senders.contract import NotDeliveredError, Seen
from config.lib.crypto import DecryptionError
from conversations.models import Message

# A courtesy must not hold up replies: what comes while so many are under way is not shown.
MOST = 100
_tasks: set[asyncio.Task[None]] = set()


def show(newest: Message, *, number: PhoneNumber, customer_id: str, ig_id: str) -> None:
    """Mark a message as read, and show typing until the reply or the channel's own limit."""
    if not settings.TYPING_INDICATOR or len(_tasks) >= MOST:
        return
    try:
        sender = senders.for_channel(number.type)
        token = number.get_access_token()
    except (NotDeliveredError, DecryptionError):
        return
    seen = Seen(
        phone_number_id=number.pk,
        access_token=token,
        api_base_url=number.api_base_url,
        sender_id=number.sender_id,
        provider_message_id=newest.provider_message_id,
        customer_id=customer_id,
        ig_id=ig_id,
    )
    task = asyncio.create_task(sender.show_typing(seen))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
