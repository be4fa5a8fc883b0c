"""One message of a web chat as its visitor sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from channels_app.models import Customer
from channels_app.webchat import files
from channels_app.webchat.messages import client_id_of
from config.lib import sql
from config.lib.texts import timestamp
from conversations import models


@dataclass(frozen=True, slots=True)
class Message:
    """
    What the widget shows, by the names it has there.

    `author` is visitor, ai or staff; `status` is received, answered, failed or unavailable (nobody can pay
    for an answer) for the visitor's own, sent or read for the others. `client_id` is the visitor's own id for
    what they wrote, `file_id` that of a picture.
    """

    id: str
    author: str
    text: str
    at: datetime
    file_id: str | None
    client_id: str | None
    status: str

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object of the API."""
        return {
            "id": self.id,
            "from": self.author,
            "text": self.text,
            "at": timestamp(self.at),
            "image": {"file_id": self.file_id} if self.file_id else None,
            "client_id": self.client_id,
            "status": self.status,
        }


def status_of(row: dict[str, Any]) -> str:
    """Return a message's status for the visitor; empty if the visitor does not see the message (yet)."""
    if row["author"] != "customer":
        return {"sent": "sent", "delivered": "sent", "read": "read"}.get(row["status"], "")
    if row["inbox_status"] == "done" and row["turn_id"] and not row["reason"]:
        return "answered"
    return {"failed": "failed", "rejected": "unavailable"}.get(row["inbox_status"], "received")


def may_change(row: dict[str, Any]) -> bool:
    """Return whether the status may still change for the visitor; they know what they have read."""
    return status_of(row) not in {"answered", "sent", "read"} and row["inbox_status"] != "done"


def message_of(row: dict[str, Any]) -> Message:
    """Return a row as the visitor sees it."""
    is_own = row["author"] == "customer"
    media = sql.from_jsonb(row["media"]) if is_own else []
    pictures = [files.file_id_of(one["name"]) for one in media if one.get("name")]
    return Message(
        # The same before and after it was taken into the conversation.
        id=f"in_{row['inbound_id']}" if is_own else row["message_id"],
        author="visitor" if is_own else row["author"],
        text=row["text"],
        at=row["timestamp"],
        file_id=pictures[0] if pictures else None,
        client_id=client_id_of(row["provider_message_id"]) if is_own else None,
        status=status_of(row),
    )


def has_reply(*, phone_number_id: str, visitor_id: str) -> bool:
    """Check whether the AI or staff have replied to a visitor."""
    stored = models.Message
    replies = stored.objects.filter(
        conversation__customer__in=Customer.objects.filter(
            phone_number_id=phone_number_id, visitor_id=visitor_id
        ),
        sender=stored.Sender.AGENT,
        status__in=(stored.Status.SENT, stored.Status.READ),
    )
    return replies.exists()
