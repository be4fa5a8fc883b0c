"""
WhatsApp Cloud API: what both services read from webhooks and post to Graph.

https://developers.facebook.com/docs/whatsapp/cloud-api
"""

import hashlib
import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SIGNATURE_PREFIX = "sha256="


@dataclass(frozen=True)
class GraphRequest:
    """One POST to Graph: its URL, headers and JSON body."""

    url: str
    headers: dict[str, str]
    json: dict[str, Any]


def is_signed(body: bytes, signature: str) -> bool:
    """Check the header X-Hub-Signature-256 of a webhook against WEBHOOK_SECRET."""
    expected = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(_SIGNATURE_PREFIX + expected, signature)


def messages(payload: dict[str, Any]) -> list[dict[str, str]]:
    """Return the text messages of a webhook as parameters of INSERT_MESSAGE_SQL."""
    return [
        {
            "message_id": message["id"],
            "phone_number_id": value["metadata"]["phone_number_id"],
            "customer": message["from"],
            "body": message["text"]["body"],
        }
        for value in _values(payload)
        for message in value.get("messages", [])
        if message["type"] == "text"
    ]


def statuses(payload: dict[str, Any]) -> list[dict[str, str]]:
    """Return the statuses of a webhook as parameters of STORE_STATUS_SQL."""
    return [
        {"graph_id": status["id"], "status": status["status"]}
        for value in _values(payload)
        for status in value.get("statuses", [])
    ]


def reply_request(row: dict[str, Any], reply: str) -> GraphRequest:
    """Return the request that sends a reply to the customer of a row of LOAD_SQL."""
    return GraphRequest(
        url=f"{os.environ['WHATSAPP_API_BASE_URL']}/{row['phone_number_id']}/messages",
        headers={"Authorization": f"Bearer {row['access_token']}"},
        json={
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": row["customer"],
            "type": "text",
            "text": {"preview_url": False, "body": reply},
        },
    )


def graph_id(answer: dict[str, Any]) -> str:
    """Return the id of a sent message from Graph's answer."""
    return str(answer["messages"][0]["id"])


def _values(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in payload["entry"]:
        for change in entry["changes"]:
            yield change["value"]
