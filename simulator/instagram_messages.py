"""
Instagram messages of every kind that the phone page sends, as Meta's webhooks tell them; nothing here talks.

An item is ``{"kind": …}`` with the fields of `incoming_items`.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from simulator.exchange import Json
from simulator.webhooks import instagram_event

NAMES = {"\u2764\ufe0f": "love", "\U0001f602": "haha", "\U0001f62e": "wow", "\U0001f622": "sad"}


def instagram_item(
    item: Json, *, sender: str, account_id: str, message_id: str, sent_at_ms: int, media_url: str = ""
) -> Json:
    """Build one element of ``messaging[]`` from what a customer does; their file lies at `media_url`."""
    kind = item["kind"]
    if kind == "reaction":
        content = _reaction(item)
    elif kind == "edit":
        edit = {"mid": item["message_id"], "text": item["text"], "num_edit": item.get("num_edit", 1)}
        content = {"message_edit": edit}
    elif kind == "delete":
        content = {"message": {"mid": item["message_id"], "is_deleted": True}}
    else:
        content = {"message": {"mid": message_id, **_message(item, media_url)}}
    return instagram_event(sender, account_id, sent_at_ms, content)


def instagram_echo_item(
    item: Json, *, recipient: str, account_id: str, message_id: str, sent_at_ms: int, media_url: str = ""
) -> Json:
    """Build one element of ``messaging[]``: a person wrote from the Instagram app."""
    message = {"mid": message_id, **_message(item, media_url), "is_echo": True}
    return instagram_event(account_id, recipient, sent_at_ms, {"message": message})


def _message(item: Json, media_url: str) -> Json:
    message: Json = {}
    if item.get("text"):
        message["text"] = item["text"]
    if item["kind"] in FILES:
        message["attachments"] = [{"type": FILES[item["kind"]], "payload": {"url": media_url}}]
    if item["kind"] == "quick_reply":
        message["quick_reply"] = {"payload": item.get("payload") or item["text"]}
    if item["kind"] == "story":
        story = {"id": "18000000000000001", "url": item.get("url") or "https://example.com/story.jpg"}
        message["reply_to"] = {"story": story}
    elif item.get("reply_to"):
        message["reply_to"] = {"mid": item["reply_to"]}
    return message


def _reaction(item: Json) -> Json:
    emoji = item.get("emoji")
    if not emoji:
        return {"reaction": {"mid": item["message_id"], "action": "unreact"}}
    named = {"reaction": NAMES.get(emoji, "other"), "emoji": emoji}
    return {"reaction": {"mid": item["message_id"], "action": "react", **named}}


FILES = {"image": "image", "video": "video", "audio": "audio", "voice": "audio", "document": "file"}
