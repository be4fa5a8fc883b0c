"""The customer object: the same wherever the API, an event or an export shows a customer."""

from typing import Any

from channels_app.models import Customer


def of(customer: Customer) -> dict[str, Any]:
    """Return the customer object; the customer's phone number is read with it."""
    return {
        "customer_id": customer.customer_id,
        "external_id": customer.external_id,
        "name": customer.name,
        "username": customer.username,
        "channel": customer.phone_number.type,
        "address": customer.address,
    }


def find(customer_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return the customer objects of several customers by their ids, in one query."""
    customers = Customer.objects.select_related("phone_number").filter(pk__in=customer_ids)
    return {customer.pk: of(customer) for customer in customers}
