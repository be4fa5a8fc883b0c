"""
The bodies and signatures of Meta's webhooks; nothing here talks to the network.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks and …/docs/instagram-platform/webhooks
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator import identifiers
from simulator.exchange import Json

SERVICE_PRICING = {
    "billable": False,
    "pricing_model": "PMP",
    "type": "free_customer_service",
    "category": "service",
}


@dataclass(frozen=True, slots=True)
class Number:
    """The business's WhatsApp number."""

    phone_number_id: str = "109876543210987"
    display_phone_number: str = "12025550100"
    waba_id: str = "201234567890123"


@dataclass(frozen=True, slots=True)
class Customer:
    """A person on WhatsApp, known by phone number (digits), by BSUID or by both."""

    wa_id: str | None = "12025550143"
    name: str = "Luc\u00eda Fern\u00e1ndez"
    user_id: str | None = None
    username: str | None = None

    def contact(self) -> Json:
        """Return the element of ``contacts[]``."""
        profile = {"name": self.name, **({"username": self.username} if self.username else {})}
        return {"profile": profile, **_given(wa_id=self.wa_id, user_id=self.user_id)}


def encode(document: Mapping[str, object]) -> bytes:
    """Return the exact bytes Meta would send: no spaces, everything but ASCII escaped, and slashes too."""
    return json.dumps(document, separators=(",", ":")).replace("/", "\\/").encode()


def sign(body: bytes, secret: str) -> str:
    """Return the value of ``X-Hub-Signature-256``."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def headers(body: bytes, secret: str) -> dict[str, str]:
    """Return the headers of a webhook, with the older signature Meta still sends beside the newer one."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "Accept": "*/*",
        "X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}",
        "X-Hub-Signature-256": sign(body, secret),
    }


def unix_seconds(sent_at: int | None) -> str:
    """Return a time as WhatsApp writes it; None is now."""
    return str(int(time.time()) if sent_at is None else sent_at)


def whatsapp_text(
    texts: Sequence[str],
    *,
    customer: Customer,
    number: Number,
    sent_at: int | None = None,
    message_ids: Sequence[str] = (),
) -> Json:
    """Build one webhook with a text message for each of `texts`; `sent_at` is in unix seconds."""
    ids = message_ids or [identifiers.wamid(customer.wa_id or "10000000000") for _ in texts]
    messages = [
        whatsapp_message("text", {"body": text}, customer=customer, message_id=message_id, sent_at=sent_at)
        for text, message_id in zip(texts, ids, strict=True)
    ]
    return whatsapp_messages(messages, customer=customer, number=number)


def whatsapp_message(
    kind: str, content: object, *, customer: Customer, message_id: str, sent_at: int | None = None
) -> Json:
    """Build one element of ``messages[]``; add ``context`` or ``referral`` to what comes back as needed."""
    return {
        **_given(**{"from": customer.wa_id}, from_user_id=customer.user_id),
        "id": message_id,
        "timestamp": unix_seconds(sent_at),
        kind: content,
        "type": kind,
    }


def whatsapp_messages(messages: Sequence[Json], *, customer: Customer, number: Number) -> Json:
    """Wrap messages of one customer in a webhook."""
    return whatsapp_envelope({"contacts": [customer.contact()], "messages": list(messages)}, number=number)


def whatsapp_status(
    status: str,
    *,
    message_id: str,
    customer: Customer,
    sent_at: int | None = None,
    callback_data: str | None = None,
) -> Json:
    """Build one element of ``statuses[]``; `callback_data` is the send's ``biz_opaque_callback_data``."""
    return {
        "id": message_id,
        "status": status,
        "timestamp": unix_seconds(sent_at),
        **_given(
            recipient_id=customer.wa_id,
            recipient_user_id=customer.user_id,
            biz_opaque_callback_data=callback_data,
        ),
        **({"pricing": SERVICE_PRICING} if status in {"sent", "delivered"} else {}),
    }


def whatsapp_failed_status(error: Mapping[str, object], status: Json) -> Json:
    """Turn an element of ``statuses[]`` into a failed one; `error` has code, title and details."""
    href = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"
    errors = [
        {
            "code": error["code"],
            "title": error["title"],
            "message": error["title"],
            "error_data": {"details": error["details"]},
            "href": href,
        }
    ]
    return {key: value for key, value in status.items() if key != "pricing"} | {
        "status": "failed",
        "errors": errors,
    }


def whatsapp_statuses(statuses: Sequence[Json], *, customer: Customer, number: Number) -> Json:
    """Wrap statuses of messages to one customer in a webhook; a failed one comes without contacts."""
    has_failed = any(status["status"] == "failed" for status in statuses)
    contacts = {} if has_failed else {"contacts": [customer.contact()]}
    return whatsapp_envelope({**contacts, "statuses": list(statuses)}, number=number)


def whatsapp_envelope(value: Mapping[str, object], *, number: Number) -> Json:
    """Wrap any value of the field ``messages`` in a webhook."""
    metadata = {
        "display_phone_number": number.display_phone_number,
        "phone_number_id": number.phone_number_id,
    }
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": number.waba_id, "changes": [change]}]}


def instagram_text(
    texts: Sequence[str],
    *,
    sender: str,
    account_id: str,
    sent_at_ms: int | None = None,
    message_ids: Sequence[str] = (),
) -> Json:
    """Build one webhook with a text message for each of `texts`; `sent_at_ms` is in unix milliseconds."""
    start = _milliseconds(sent_at_ms)
    ids = message_ids or [identifiers.mid() for _ in texts]
    events = [
        instagram_event(sender, account_id, start + index, {"message": {"mid": message_id, "text": text}})
        for index, (text, message_id) in enumerate(zip(texts, ids, strict=True))
    ]
    return instagram_envelope(events, account_id=account_id, time_ms=start + 150)


def instagram_echo(
    text: str, *, message_id: str, recipient: str, account_id: str, sent_at_ms: int | None = None
) -> Json:
    """Build the webhook that tells the business of its own message."""
    at = _milliseconds(sent_at_ms)
    event = {"message": {"mid": message_id, "text": text, "is_echo": True}}
    return instagram_envelope(
        [instagram_event(account_id, recipient, at, event)], account_id=account_id, time_ms=at + 150
    )


def instagram_read(message_id: str, *, sender: str, account_id: str, sent_at_ms: int | None = None) -> Json:
    """Build the webhook that tells the business that its message was seen."""
    at = _milliseconds(sent_at_ms)
    event = instagram_event(sender, account_id, at, {"read": {"mid": message_id}})
    return instagram_envelope([event], account_id=account_id, time_ms=at + 150)


def instagram_envelope(events: Sequence[Json], *, account_id: str, time_ms: int) -> Json:
    """Wrap messaging events in a webhook."""
    return {"object": "instagram", "entry": [{"time": time_ms, "id": account_id, "messaging": list(events)}]}


def instagram_event(sender: str, recipient: str, at: int, content: Json) -> Json:
    """Build one element of ``messaging[]``; `at` is in unix milliseconds."""
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at, **content}


def _given(**values: str | None) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _milliseconds(sent_at_ms: int | None) -> int:
    return int(time.time() * 1000) if sent_at_ms is None else sent_at_ms
