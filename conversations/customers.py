"""Customers of a business: which of them it sees, and the id under which it knows them."""

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from channels_app.models import Customer, InboundMessage, PhoneNumber
from channels_app.webchat import sessions
from config.lib import actors
from conversations.models import Conversation

log = structlog.get_logger(__name__)


class SignedInError(Exception):
    """The customer signs in to the web chat, and their external id is the user id that was signed."""


def of(user_id: str, *, phone_number_id: str | None = None) -> QuerySet[Customer]:
    """
    Return the customers on a business's numbers, or on one of them, by the indexes on their number.

    Customers who wrote to a number only before it was registered are left out: that may have been somebody
    else's number.

    :raises TenantMissingError: if `user_id` is empty
    """
    registered_at = PhoneNumber.objects.filter(pk=OuterRef("phone_number_id")).values("created_at")
    is_new = Q(created_at__gte=Subquery(registered_at))
    has_talked = Exists(Conversation.objects.filter(customer=OuterRef("pk")))
    has_written = Exists(
        InboundMessage.objects.filter(customer=OuterRef("pk"), received_at__gte=F("phone_number__created_at"))
    )
    return _on_numbers(user_id, phone_number_id).filter(is_new | has_talked | has_written)


def find(*, user_id: str, customer_id: str | None = None, external_id: str | None = None) -> list[str]:
    """
    Return the ids of a business's customers with this id or external id, to filter lists by.

    :raises TenantMissingError: if `user_id` is empty
    """
    changes = {"pk": customer_id, "external_id": external_id}
    rows = _on_numbers(user_id).filter(
        **{name: value for name, value in changes.items() if value is not None}
    )
    return list(rows.values_list("pk", flat=True))


def _on_numbers(user_id: str, phone_number_id: str | None = None) -> QuerySet[Customer]:
    numbers = PhoneNumber.objects.of(user_id)
    if phone_number_id is not None:
        numbers = numbers.filter(pk=phone_number_id)
    # As values, and with the condition of customers_by_number: lists are read in the order of that index.
    customer = list(numbers.values_list("pk", flat=True))
    return Customer.objects.filter(phone_number__in=customer, customer_id__gt="")


@transaction.atomic
def set_external_id(*, customer_id: str, external_id: str | None) -> None:
    """
    Set the id under which a business knows a customer; None removes it.

    Several customers may have the same one: a person may write on several channels.

    :raises Customer.DoesNotExist: if there is none
    :raises SignedInError: if they sign in to the web chat under another user id
    """
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    signed = sessions.known_visitor_id(external_id) if external_id else ""
    if sessions.is_user(customer.visitor_id) and customer.visitor_id != signed:
        raise SignedInError
    customer.external_id = external_id
    customer.save(update_fields=["external_id"])
    log.info("customer.external_id_set", customer_id=customer_id, actor=actors.current().label)
