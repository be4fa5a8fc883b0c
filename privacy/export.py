"""Everything that is stored of one customer, to be read: as JSON, a transcript and their files."""

import json
import zipfile
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any

from django.core.files.storage import default_storage

from billing import audit
from billing.audit import Action
from channels_app import customer_object
from channels_app.models import ChannelEvent, Customer, InboundMessage, PhoneNumber
from config.lib.texts import timestamp
from conversations import message_object
from conversations.models import Conversation, Message
from extraction.models import Extraction

# Of the latest channel events of a number, those about the customer are looked for in so many.
_MOST_EVENTS = 50_000
_HIDDEN = ("user_id", "lease_token", "lease_expires_at", "attempts", "told", "openai_response_id")


def record(customer: Customer) -> None:
    """Note in the audit log that somebody exports a customer."""
    owner = PhoneNumber.objects.values_list("user_id", flat=True).filter(pk=customer.phone_number_id).first()
    audit.record(Action.CUSTOMER_EXPORTED, customer.pk, user_id=owner)


def collect(customer_id: str) -> dict[str, Any]:
    """
    Return everything that is stored of a customer, as JSON has it.

    :raises Customer.DoesNotExist: if there is none
    """
    customer = Customer.objects.select_related("phone_number").get(pk=customer_id)
    talks = list(Conversation.objects.filter(customer=customer).order_by("conversation_id"))
    return {
        "customer": {
            **customer_object.of(customer),
            "phone_number_id": customer.phone_number_id,
            "ids": {name: getattr(customer, name) for name in ("wa_id", "bsuid", "ig_id", "visitor_id")},
            "created_at": timestamp(customer.created_at),
        },
        "conversations": [_conversation(talk) for talk in talks],
        "leads": [_lead(row) for row in Extraction.objects.filter(conversation__in=talks).order_by("pk")],
        "inbox": [_inbound(row) for row in InboundMessage.objects.filter(customer=customer).order_by("pk")],
        "channel_events": [_event(row) for row in _events(customer)],
    }


def _conversation(talk: Conversation) -> dict[str, Any]:
    rows = message_object.rows(Message.objects.filter(conversation=talk).order_by("sequence_no"))
    return {
        "conversation_id": talk.conversation_id,
        "agent_id": talk.agent_id,
        "created_at": timestamp(talk.created_at),
        "last_message_at": timestamp(talk.last_message_at),
        "handover_reason": talk.handover_reason,
        "messages": [
            {**message_object.of(message), "transcripts": _transcripts(message)}
            for message in rows.iterator(500)
        ],
    }


def _transcripts(message: Message) -> list[str]:
    return [str(entry["transcript"]) for entry in message.media if entry.get("transcript")]


def _lead(row: Extraction) -> dict[str, Any]:
    names = [field.attname for field in Extraction._meta.concrete_fields]  # noqa: SLF001
    corrections: Any = row.corrected
    corrected = {
        name: {**entry, "at": timestamp(datetime.fromisoformat(entry["at"]))}
        for name, entry in corrections.items()
    }
    values = {name: _json(getattr(row, name)) for name in names if name not in _HIDDEN}
    return {**values, "corrected": corrected}


def _inbound(row: InboundMessage) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "text": row.text,
        "status": row.status,
        "sent_at": timestamp(row.sent_at),
        "received_at": timestamp(row.received_at),
        "payload": row.payload,
    }


def _event(row: ChannelEvent) -> dict[str, Any]:
    return {"kind": row.kind, "occurred_at": timestamp(row.occurred_at), "payload": row.payload}


def _events(customer: Customer) -> list[ChannelEvent]:
    ids = {value for name in ("wa_id", "bsuid", "ig_id", "visitor_id") if (value := getattr(customer, name))}
    newest = ChannelEvent.objects.filter(phone_number_id=customer.phone_number_id).order_by("-pk")
    return [row for row in newest[:_MOST_EVENTS] if ids & set((row.person or {}).values())]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)


def write_zip(customer_id: str, file: IO[bytes]) -> None:
    """
    Write a ZIP file: `data.json`, `transcript.txt`, and the stored files below `files/`.

    :raises Customer.DoesNotExist: if there is no such customer
    """
    document = collect(customer_id)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(document, indent=2, ensure_ascii=False))
        archive.writestr("transcript.txt", transcript(document))
        messages = Message.objects.filter(conversation__customer_id=customer_id).order_by("pk")
        for message in messages.only("message_id", "media").iterator(500):
            for index, entry in enumerate(message.media):
                _add_file(archive, f"files/{message.pk}-{index}", str(entry.get("name") or ""))


def _add_file(archive: zipfile.ZipFile, name: str, stored: str) -> None:
    if stored and default_storage.exists(stored):
        with default_storage.open(stored) as content:
            archive.writestr(name + PurePosixPath(stored).suffix, content.read())


def transcript(document: dict[str, Any]) -> str:
    """Return what was written as text to read."""
    lines = [f"{document['customer']['name'] or 'Customer'} ({document['customer']['address']})"]
    for talk in document["conversations"]:
        lines += ["", f"Conversation of {talk['created_at']}", ""]
        for message in talk["messages"]:
            files = "".join(f" [{entry['kind']}]" for entry in message["media"])
            words = " ".join([message["text"], *message["transcripts"]]).strip()
            lines.append(f"{message['timestamp']}  {message['author']}: {words}{files}")
    return "\n".join(lines) + "\n"
