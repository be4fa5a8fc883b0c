"""
Customers whose ids change, and customers found to be one.

WhatsApp tells when somebody changes their number or gets a new business-scoped id; a message that carries
both ids can show that two rows are one person; and a visitor of a web chat signs in. The conversation goes on
either way.
"""

from django.db.models import Q

from channels_app.models import ChannelEvent, Customer, InboundMessage
from channels_app.webchat import bell
from config.lib import locks
from config.lib.locks import Lock
from conversations.models import Conversation, Turn

_IDS = ("wa_id", "bsuid", "visitor_id")


def move(event: ChannelEvent) -> bool:
    """Give a customer their new ids; False while rows to be made one still have an open turn."""
    locks.take(Lock.INTAKE, event.phone_number_id)
    old, new = _ids(event.data.get("old")), _ids(event.data.get("new"))
    rows = _known_as(event.phone_number_id, old) | _known_as(event.phone_number_id, new)
    if not rows:
        return False
    person, *others = sorted(rows, key=lambda customer: customer.created_at)
    if others and Turn.objects.filter(customer__in=rows, state__in=Turn.OPEN).exists():
        return False
    for other in others:
        _merge(other, into=person)
    for name, value in new.items():
        setattr(person, name, value)
    person.save(update_fields=list(new))
    Conversation.objects.filter(customer=person, is_active=True).update(customer_phone=person.address)
    if person.visitor_id:
        bell.ring_for_visitor(
            phone_number_id=event.phone_number_id, visitor_id=person.visitor_id, customer_id=person.pk
        )
    return True


def _ids(told: object) -> dict[str, str]:
    found = told if isinstance(told, dict) else {}
    return {name: str(found[name]) for name in _IDS if found.get(name)}


def _known_as(phone_number_id: str, ids: dict[str, str]) -> set[Customer]:
    by_any = Q(pk__in=[])
    for name, value in ids.items():
        by_any |= Q(**{name: value})
    return set(Customer.objects.filter(by_any, phone_number_id=phone_number_id))


def _merge(other: Customer, *, into: Customer) -> None:
    """Make two rows one person; of two conversations with one agent the one used last stays active."""
    agents = set()
    both = Conversation.objects.filter(customer__in=[other, into], is_active=True)
    for conversation in both.order_by("-last_message_at"):
        if conversation.agent_id in agents:
            conversation.is_active = False
            conversation.save(update_fields=["is_active"])
        agents.add(conversation.agent_id)
    Conversation.objects.filter(customer=other).update(customer=into)
    Turn.objects.filter(customer=other).update(customer=into)
    InboundMessage.objects.filter(customer=other).update(customer=into)
    due = [moment for moment in (other.due_at, into.due_at) if moment]
    ids = {name: getattr(into, name) or getattr(other, name) for name in _IDS}
    other.delete()
    for name, value in ids.items():
        setattr(into, name, value)
    into.due_at = max(due, default=None)
    # A person who answers one of them goes on to.
    if other.paused_until and (into.paused_until is None or into.paused_until < other.paused_until):
        into.paused_until, into.pause_reason = other.paused_until, other.pause_reason
    into.save(update_fields=[*_IDS, "due_at", "paused_until", "pause_reason"])
