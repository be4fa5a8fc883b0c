"""
Customers whose ids change, and customers found to be one.

WhatsApp tells when somebody changes their number or gets a new business-scoped id; a message that carries
both ids can show that two rows are one person; and a visitor of a web chat signs in. The conversation goes on
either way.
"""

from django.db.models import Q

from channels_app.models import ChannelEvent, Customer, InboundMessage
from channels_app.webchat import pubsub
from config.lib import locks
from config.lib.locks import Lock
from conversations.models import Conversation, Turn

_IDS = ("wa_id", "bsuid", "visitor_id")


def move(event: ChannelEvent) -> bool:
    """
    Store a customer's new ids; False while rows to be merged still have an open turn.

    Neither a webhook nor a claim of the number runs meanwhile: both hold rows of customers.
    """
    locks.take(Lock.CLAIM, event.phone_number_id)
    locks.take(Lock.INTAKE, event.phone_number_id)
    old, new = _ids(event.data.get("old")), _ids(event.data.get("new"))
    rows = _known_as(event.phone_number_id, old, new)
    if not rows:
        return False
    person, *others = sorted(rows, key=lambda customer: customer.created_at)
    if others and Turn.objects.filter(customer__in=rows, closed_at=None).exists():
        return False
    for other in others:
        _merge(other, into=person)
    for name, value in new.items():
        setattr(person, name, value)
    # The id that the business's server signed outweighs one that was set by hand before.
    person.external_id = _external_id(event.data.get("new")) or person.external_id
    person.save(update_fields=[*new, "external_id"])
    Conversation.objects.filter(customer=person, is_active=True).update(customer_phone=person.address)
    if person.visitor_id:
        pubsub.publish_for_visitor(
            phone_number_id=event.phone_number_id, visitor_id=person.visitor_id, customer_id=person.pk
        )
    return True


def _ids(data: object) -> dict[str, str]:
    ids_ = data if isinstance(data, dict) else {}
    return {name: str(ids_[name]) for name in _IDS if ids_.get(name)}


def _external_id(data: object) -> str | None:
    return str(data.get("external_id") or "") or None if isinstance(data, dict) else None


def _known_as(phone_number_id: str, *ids: dict[str, str]) -> list[Customer]:
    """Return the customers with any of the ids, locked; the first of all row locks."""
    by_any = Q(pk__in=[])
    for name, value in (item for each in ids for item in each.items()):
        by_any |= Q(**{name: value})
    customers = Customer.objects.filter(by_any, phone_number_id=phone_number_id)
    return list(customers.order_by("pk").select_for_update())


def _merge(other: Customer, *, into: Customer) -> None:
    """
    Merge two rows of one person; of two conversations with one agent the one used last stays active.

    Rows are locked in the order of all locks: customers, inbox, turns, conversations.
    """
    InboundMessage.objects.filter(customer=other).update(customer=into)
    Turn.objects.filter(customer=other).update(customer=into)
    agents = set()
    both = Conversation.objects.filter(customer__in=[other, into])
    conversations = sorted(
        both.order_by("pk").select_for_update(no_key=True),
        key=lambda conversation: conversation.last_message_at,
        reverse=True,
    )
    for conversation in conversations:
        if conversation.is_active and conversation.agent_id in agents:
            conversation.is_active = False
            conversation.save(update_fields=["is_active"])
        if conversation.is_active:
            agents.add(conversation.agent_id)
    Conversation.objects.filter(customer=other).update(customer=into)
    due = [moment for moment in (other.due_at, into.due_at) if moment]
    ids = {name: getattr(into, name) or getattr(other, name) for name in (*_IDS, "external_id")}
    other.delete()
    for name, value in ids.items():
        setattr(into, name, value)
    into.due_at = max(due, default=None)
    # A person who answers one of them goes on to.
    if other.paused_until and (into.paused_until is None or into.paused_until < other.paused_until):
        into.paused_until, into.pause_reason = other.paused_until, other.pause_reason
    into.save(update_fields=[*ids, "due_at", "paused_until", "pause_reason"])
