"""What visitors write goes the way of every message: into the inbox, or into the spool before it."""

from datetime import datetime

from channels_app import inbox, intake, spool
from channels_app.meta.types import Event, Parsed
from channels_app.models import Customer, InboundMessage
from channels_app.webchat import bell, messages
from channels_app.webchat.messages import VisitorMessage
from channels_app.webchat.sessions import Visitor


def take(message: VisitorMessage, *, now: datetime) -> None:
    """
    Keep a visitor's message, once by its id, and ring for whoever has the chat open.

    :raises NowhereToKeepError: (channels_app.intake) if it could not be kept
    """
    stored = intake.take(messages.raw(message), now=now, source=spool.WEBCHAT)
    if stored is not None and stored.messages:
        number, visitor_id = message.phone_number_id, message.visitor_id
        bell.ring_for_visitor(
            phone_number_id=number, visitor_id=visitor_id, customer_id=_row_of(number, visitor_id)
        )


def is_kept(message_id: str, *, phone_number_id: str, visitor_id: str) -> bool:
    """Tell whether a visitor's message is in the inbox."""
    name = messages.provider_message_id(visitor_id, message_id)
    found = InboundMessage.objects.filter(phone_number_id=phone_number_id, provider_message_id=name)
    return found.exists()


def note_identity(*, before: Visitor, after: Visitor, now: datetime) -> None:
    """Have what an anonymous visitor wrote become part of the chat of the user they turned out to be."""
    number = before.phone_number_id
    if not before.is_anonymous or after.is_anonymous or _row_of(number, before.visitor_id) is None:
        return
    old, new = {"visitor_id": before.visitor_id}, {"visitor_id": after.visitor_id}
    event = Event(
        phone_number_id=number,
        kind="identity",
        key=f"{before.visitor_id} is {after.visitor_id} at {now.isoformat()}",
        payload={},
        occurred_at=now,
        data={"old": old, "new": new},
    )
    inbox.store(Parsed(events=[event]))


def _row_of(phone_number_id: str, visitor_id: str) -> str | None:
    rows = Customer.objects.filter(phone_number_id=phone_number_id, visitor_id=visitor_id)
    return rows.values_list("pk", flat=True).first()
