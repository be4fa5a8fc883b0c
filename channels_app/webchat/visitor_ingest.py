"""What visitors write goes the way of every message: into the inbox, or into the spool before it."""

from datetime import datetime

from channels_app import inbox, ingest, spool
from channels_app.meta.types import Event, Parsed
from channels_app.models import Customer, InboundMessage
from channels_app.webchat import messages, pubsub
from channels_app.webchat.messages import VisitorMessage
from channels_app.webchat.sessions import Visitor


def take(message: VisitorMessage, *, now: datetime) -> None:
    """
    Keep a visitor's message, once by its id, and ring for whoever has the chat open.

    :raises NowhereToKeepError: (channels_app.ingest) if it could not be kept
    """
    stored = ingest.take(messages.raw(message), now=now, source=spool.WEBCHAT)
    if stored is not None and stored.messages:
        number, visitor_id = message.phone_number_id, message.visitor_id
        pubsub.publish_for_visitor(
            phone_number_id=number, visitor_id=visitor_id, customer_id=_row_of(number, visitor_id)
        )


def is_kept(message_id: str, *, phone_number_id: str, visitor_id: str) -> bool:
    """Return whether a visitor's message is in the inbox."""
    name = messages.provider_message_id(visitor_id, message_id)
    rows = InboundMessage.objects.filter(phone_number_id=phone_number_id, provider_message_id=name)
    return rows.exists()


def note_identity(who: Visitor, *, now: datetime) -> None:
    """
    Store the identity of a signed-in user, and merge what they wrote before into their chat.

    Messages that arrive late under the earlier visitor id are merged, too.
    """
    number = who.phone_number_id
    if not who.before or _row_of(number, who.before) is None:
        _store_external_id(who)
        return
    old = {"visitor_id": who.before}
    new = {"visitor_id": who.visitor_id, "external_id": who.user_id}
    event = Event(
        phone_number_id=number,
        kind="identity",
        key=f"{who.before} is {who.visitor_id} at {now.isoformat()}",
        payload={},
        occurred_at=now,
        data={"old": old, "new": new},
    )
    inbox.store(Parsed(events=[event]))


def _store_external_id(who: Visitor) -> None:
    """Store the id that the business's server signed on the user's row, if they have one without it."""
    if who.user_id:
        rows = Customer.objects.filter(phone_number_id=who.phone_number_id, visitor_id=who.visitor_id)
        rows.exclude(external_id=who.user_id).update(external_id=who.user_id)


def _row_of(phone_number_id: str, visitor_id: str) -> str | None:
    rows = Customer.objects.filter(phone_number_id=phone_number_id, visitor_id=visitor_id)
    return rows.values_list("pk", flat=True).first()
