"""
WhatsApp Cloud API.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from django.conf import settings

from channels_app.senders import graph, markdown
from channels_app.senders.contract import OutcomeUnknownError, Outgoing, Seen
from channels_app.senders.splitting import split, utf16_size

# The API takes 4,096; whether it counts code points or UTF-16 units is not documented.
MAX_LENGTH = 4000

# https://faq.whatsapp.com/539178204879377
_MARKS = markdown.Marks(bold="*", italic="_", strike="~", code="`", fence="```")


async def send(outgoing: Outgoing) -> str:
    """
    Send a text and give WhatsApp's id for it.

    :raises NotDeliveredError: if it has definitely not been sent
    :raises OutcomeUnknownError: if it may have been
    """
    # Without the plus WhatsApp may put the business's own country code in front.
    to = {"to": f"+{outgoing.wa_id}"} if outgoing.wa_id else {"recipient": outgoing.bsuid}
    quote = {"context": {"message_id": outgoing.reply_to}} if outgoing.reply_to else {}
    answer = await graph.post(
        _url(outgoing),
        body={
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **to,
            **quote,
            "type": "text",
            "text": {"preview_url": False, "body": outgoing.text},
            "biz_opaque_callback_data": outgoing.callback_data,
        },
        token=outgoing.access_token,
        timeout=outgoing.timeout,
    )
    try:
        return str(answer["messages"][0]["id"])
    except (KeyError, IndexError, TypeError) as error:
        raise OutcomeUnknownError("an answer without a message id", code="no_id") from error


def formatted(text: str) -> str:
    """Turn Markdown into WhatsApp's own formatting."""
    return markdown.render(text, _MARKS)


def parts(text: str) -> list[str]:
    """Cut a text into parts WhatsApp takes."""
    return split(text, limit=MAX_LENGTH, size=utf16_size)


async def show_typing(seen: Seen) -> None:
    """Mark the message as read, and show typing until the reply or for 25 s; never fails."""
    # https://developers.facebook.com/documentation/business-messaging/whatsapp/typing-indicators
    # All earlier messages are marked with it.
    body: dict[str, object] = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": seen.provider_message_id,
        "typing_indicator": {"type": "text"},
    }
    await graph.post_courtesy(_url(seen), body=body, token=seen.access_token)


def _url(message: Outgoing | Seen) -> str:
    base_url = message.api_base_url or settings.WHATSAPP_API_BASE_URL
    return graph.messages_url(base_url, message.sender_id or message.phone_number_id)
