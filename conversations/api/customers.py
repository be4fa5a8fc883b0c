"""Customers: who they are on each phone number, and the id under which the business knows them."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from channels_app.models import Customer
from config.lib.api import etags
from config.lib.api.problems import conflict, not_found
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import PageQuery, StrictSerializer, TextField
from config.lib.texts import timestamp
from conversations import customers
from conversations.api.customer_serializers import (
    EXAMPLE,
    LONGEST_EXTERNAL_ID,
    TAG,
    CustomerSerializer,
    external_id_filter,
)
from conversations.customers import SignedInError

_EXAMPLE = {
    **EXAMPLE,
    "phone_number_id": "106540352242922",
    "created_at": "2026-11-24T12:00:00Z",
}
_SIGNED_IN = (
    "external_id_signed",
    (
        "This customer signs in to the web chat, so their `external_id` is the user id that your server "
        "signs. It cannot be changed."
    ),
)
# As `channels_app.webchat.identities` takes user ids.
_VISIBLE = RegexValidator(r"^[^\x00-\x1f\x7f]+\Z", "The id must not contain control characters.")


class CustomerDetailSerializer(CustomerSerializer):
    """A customer, and the phone number that they write to."""

    phone_number_id = serializers.CharField(help_text="The phone number they write to.")
    created_at = serializers.DateTimeField(help_text="When they wrote for the first time.")

    def to_representation(self, instance: Customer) -> dict[str, Any]:
        """Return the customer object and what else a customer has."""
        return {
            **super().to_representation(instance),
            "phone_number_id": instance.phone_number_id,
            "created_at": timestamp(instance.created_at),
        }


class CustomerListQuery(PageQuery):
    """Filters of the list of customers."""

    phone_number_id = serializers.CharField(
        required=False, max_length=50, help_text="Only customers of this phone number."
    )
    external_id = external_id_filter()


class CustomerChangesInput(StrictSerializer):
    """What can be changed of a customer."""

    external_id = TextField(
        max_length=LONGEST_EXTERNAL_ID,
        allow_null=True,
        trim_whitespace=False,
        validators=[_VISIBLE],
        help_text="The id under which you know the customer; null removes it. Several customers may have "
        "the same, since each is one person on one phone number.",
    )


class CustomersView(TenantView):
    """The customers of a business."""

    @operation(
        summary="List customers",
        description="Sorted by phone number, and newest first for each number.",
        tag=TAG,
        operation_id="list_customers",
        query=CustomerListQuery,
        responses={200: page_serializer(CustomerDetailSerializer)},
        response_example={"data": [_EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(CustomerListQuery)
        rows = customers.of(user_id, phone_number_id=query.get("phone_number_id"))
        if "external_id" in query:
            rows = rows.filter(external_id=query["external_id"])
        return self.page(
            rows.prefetch_related("phone_number"),
            query=query,
            order=("-phone_number_id", "-customer_id"),
            serializer=CustomerDetailSerializer,
        )


class CustomerView(TenantView):
    """One customer."""

    def serialized(self, customer_id: str) -> dict[str, Any]:
        """
        Return a customer of the business as the API shows it.

        :raises ProblemError: 404 if there is none
        """
        customer = customers.of(self.user_id).select_related("phone_number").filter(pk=customer_id).first()
        if customer is None:
            raise not_found("customer_id")
        return CustomerDetailSerializer().to_representation(customer)

    @operation(
        summary="Get a customer",
        description="A customer is one person on one phone number. Two customers that turn out to be one "
        "person become one, under the older `customer_id`.",
        tag=TAG,
        operation_id="get_customer",
        responses={200: CustomerDetailSerializer},
        response_example=_EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, customer_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Answer it."""
        return etags.tagged(self.serialized(customer_id))

    @operation(
        summary="Change a customer",
        description="Sets the id under which you know the customer. From then on, conversations, messages, "
        "leads and events show it, and lists can be filtered by it.",
        tag=TAG,
        operation_id="update_customer",
        request=CustomerChangesInput(partial=True),
        responses={200: CustomerDetailSerializer},
        errors={409: [_SIGNED_IN]},
        if_match=True,
        request_example={"external_id": "cust-77"},
        response_example=_EXAMPLE,
    )
    @transaction.atomic
    def patch(self, request: Request, user_id: str, customer_id: str) -> Response:  # noqa: ARG002
        """Change it."""
        changes = self.read_body(CustomerChangesInput, partial=True)
        customers.of(self.user_id).select_for_update(no_key=True, of=("self",)).filter(pk=customer_id).first()
        etags.check(request, self.serialized(customer_id))
        if "external_id" in changes:
            try:
                customers.set_external_id(customer_id=customer_id, external_id=changes["external_id"])
            except SignedInError as error:
                raise conflict(*_SIGNED_IN) from error
        return etags.tagged(self.serialized(customer_id))
