"""
Instagram Messaging: with a page's token on graph.facebook.com, an account's own on graph.instagram.com.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api
"""

from urllib.parse import urlsplit

from django.conf import settings

from channels_app.senders import graph, markdown
from channels_app.senders.contract import OutcomeUnknownError, Outgoing, Seen
from channels_app.senders.splitting import split, utf8_size

MAX_BYTES = 1000


async def send(outgoing: Outgoing) -> str:
    """
    Send a text and give Instagram's id for it.

    :raises NotDeliveredError: if it has definitely not been sent
    :raises OutcomeUnknownError: if it may have been
    """
    url = _url(outgoing)
    # Only Facebook's own host knows it.
    kind = {} if urlsplit(url).hostname == "graph.instagram.com" else {"messaging_type": "RESPONSE"}
    answer = await graph.post(
        url,
        body={**kind, "recipient": {"id": outgoing.ig_id}, "message": {"text": outgoing.text}},
        token=outgoing.access_token,
        timeout=outgoing.timeout,
    )
    if not (message_id := answer.get("message_id")):
        raise OutcomeUnknownError("an answer without a message id", code="no_id")
    return str(message_id)


def formatted(text: str) -> str:
    """Turn Markdown into plain text, which is all that Instagram shows."""
    return markdown.render(text, markdown.Marks())


def parts(text: str) -> list[str]:
    """Cut a text into parts Instagram takes; it counts bytes."""
    return split(text, limit=MAX_BYTES, size=utf8_size)


async def show_typing(seen: Seen) -> None:
    """Show the message as seen, and typing; never fails."""
    for action in ("mark_seen", "typing_on"):
        body: dict[str, object] = {"recipient": {"id": seen.ig_id}, "sender_action": action}
        if not await graph.post_courtesy(_url(seen), body=body, token=seen.access_token):
            return


def _url(message: Outgoing | Seen) -> str:
    base_url = message.api_base_url or settings.INSTAGRAM_API_BASE_URL
    return graph.messages_url(base_url, message.sender_id or message.phone_number_id)
