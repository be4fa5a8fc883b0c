"""Shows the customer that their message was read and is being answered, without making them wait for that."""

import contextvars
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from channels_app import senders
from channels_app.models import Customer, PhoneNumber
from channels_app.senders.contract import NotDeliveredError, Seen
from config.lib.crypto import DecryptionError
from conversations.models import Message

# A courtesy must not hold up a turn; what does not fit waits its turn or comes too late, harmlessly.
_pool = ThreadPoolExecutor(16, thread_name_prefix="typing")


def show(messages: list[Message], *, phone_number_id: str, customer_id: str) -> None:
    """Mark the newest of the messages read, and show typing until the reply or the channel's own limit."""
    if not settings.TYPING_INDICATOR or not messages:
        return
    newest = messages[-1]
    number = PhoneNumber.objects.get(pk=phone_number_id)
    try:
        sender = senders.for_channel(number.type)
        token = number.get_access_token()
    except (NotDeliveredError, DecryptionError):
        return
    seen = Seen(
        phone_number_id=phone_number_id,
        access_token=token,
        api_base_url=number.api_base_url,
        sender_id=number.sender_id,
        provider_message_id=newest.provider_message_id,
        customer_id=customer_id,
        ig_id=Customer.objects.values_list("ig_id", flat=True).get(pk=customer_id) or "",
    )
    # With the context, so that its log lines and headers name the message too.
    _pool.submit(contextvars.copy_context().run, sender.show_typing, seen)
