"""
WhatsApp Cloud API.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages
"""

from django.conf import settings

from channels_app.senders import graph
from channels_app.senders.contract import OutcomeUnknownError, Outgoing

# The API takes 4,096; whether it counts code points or UTF-16 units is not documented.
MAX_LENGTH = 4000


def send(outgoing: Outgoing) -> str:
    """
    Send a text and give WhatsApp's id for it.

    :raises NotDeliveredError: if it has definitely not been sent
    :raises OutcomeUnknownError: if it may have been
    """
    # Without the plus WhatsApp may put the business's own country code in front.
    to = {"to": f"+{outgoing.wa_id}"} if outgoing.wa_id else {"recipient": outgoing.bsuid}
    answer = graph.post(
        f"{settings.WHATSAPP_API_BASE_URL}/{outgoing.phone_number_id}/messages",
        body={
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            **to,
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
