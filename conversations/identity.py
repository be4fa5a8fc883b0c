"""
Customers whose ids change, and customers found to be one.

WhatsApp tells when somebody changes their number or gets a new business-scoped id; and a message that carries
both ids can show that two rows are one person. The conversation goes on either way.
"""

from django.db.models import Q

from channels_app.models import ChannelEvent, Customer, InboundMessage
from config.lib import locks
from config.lib.locks import Lock
from conversations.models import Conversation, Turn

_IDS = ("wa_id", "bsuid")


def move(event: ChannelEvent) -> bool:
    """Give a customer their new ids; False while a turn of one of the rows is still open."""
    locks.take(Lock.INTAKE, event.phone_number_id)
    old, new = _ids(event.data.get("old")), _ids(event.data.get("new"))
    known_as = _known_as(event.phone_number_id, old)
    becomes = _known_as(event.phone_number_id, new)
    if known_as is None:
        return becomes is not None
    if becomes is not None and becomes.pk != known_as.pk:
        if _has_open_turn(known_as, becomes):
            return False
        _merge(becomes, into=known_as)
    for name, value in new.items():
        setattr(known_as, name, value)
    known_as.save(update_fields=list(new))
    Conversation.objects.filter(customer=known_as, is_active=True).update(customer_phone=known_as.address)
    return True


def _ids(told: object) -> dict[str, str]:
    found = told if isinstance(told, dict) else {}
    return {name: str(found[name]) for name in _IDS if found.get(name)}


def _known_as(phone_number_id: str, ids: dict[str, str]) -> Customer | None:
    by_any = Q(pk__in=[])
    for name, value in ids.items():
        by_any |= Q(**{name: value})
    return Customer.objects.filter(by_any, phone_number_id=phone_number_id).order_by("created_at").first()


def _has_open_turn(*customers: Customer) -> bool:
    return Turn.objects.filter(customer__in=customers, state__in=Turn.OPEN).exists()


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
    into.save(update_fields=[*_IDS, "due_at"])
