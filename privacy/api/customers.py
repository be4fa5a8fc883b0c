"""Erases and exports customers for the API."""

from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from channels_app.models import Customer
from config.lib.api.problems import not_found
from config.lib.api.schema import operation
from config.lib.api.serializers import NothingInput
from conversations import customers
from conversations.api.customer_serializers import EXAMPLE as CUSTOMER
from conversations.api.customer_serializers import TAG
from privacy import erasure, export
from privacy.models import Erasure

_EXAMPLE: dict[str, Any] = {
    "erasure_id": "era_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "customer_id": "cus_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "106540352242922",
    "state": "done",
    "source": "api",
    "actor": "key:9f2c41ab",
    "counts": {"conversations": 1, "customers": 1, "messages": 12, "openai_conversation": 1},
    "error": "",
    "requested_at": "2026-11-24T12:00:00Z",
    "finished_at": "2026-11-24T12:01:01Z",
}
_EXPORT: dict[str, Any] = {
    "customer": {**CUSTOMER, "phone_number_id": "106540352242922", "created_at": "2026-11-24T12:00:00Z"},
    "conversations": [],
    "leads": [],
    "inbox": [],
    "channel_events": [],
}


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    """The receipt of an erasure: it holds no personal data."""

    state = serializers.ChoiceField(
        choices=Erasure.State.choices,
        help_text="`running` = something is left to be deleted, here or elsewhere; `done` = nothing is.",
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]  # DRF calls something else so
        choices=Erasure.Source.choices, help_text="How it was asked for."
    )
    actor = serializers.CharField(help_text="Who asked for it: a key, a login, a command, or Meta.")
    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many rows, and conversations, responses and files elsewhere, were deleted, by kind.",
    )
    error = serializers.CharField(help_text="What could not be reached so far; it is tried again.")
    requested_at = serializers.DateTimeField(help_text="When it was asked for.")
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="When nothing was left; null until then."
    )

    class Meta:
        model = Erasure
        fields = (
            *("erasure_id", "customer_id", "phone_number_id", "state", "source", "actor", "counts", "error"),
            *("requested_at", "finished_at"),
        )
        read_only_fields = fields
        extra_kwargs = {
            "erasure_id": {"help_text": "The erasure."},
            "customer_id": {"help_text": "The customer who was erased."},
            "phone_number_id": {"help_text": "The phone number they wrote to."},
        }


class ExportSerializer(serializers.Serializer[Any]):
    """Everything that is stored of a customer."""

    customer = serializers.DictField(help_text="The customer object, and the ids the channel knows them by.")
    conversations = serializers.ListField(
        child=serializers.DictField(),
        help_text="Each with its `messages`, which are message objects; files have signed links.",
    )
    leads = serializers.ListField(child=serializers.DictField(), help_text="All readings for a lead.")
    inbox = serializers.ListField(
        child=serializers.DictField(), help_text="What arrived, as the channel sent it, answered or not."
    )
    channel_events = serializers.ListField(
        child=serializers.DictField(), help_text="Statuses, reactions, edits and the like."
    )


class _CustomerView(TenantView):
    def known(self, customer_id: str) -> Customer | None:
        """Return a customer of the business, if there is one."""
        return customers.of(self.user_id).filter(pk=customer_id).first()

    def receipt(self, customer_id: str) -> Erasure | None:
        """Return the erasure of a customer of the business, if there is one."""
        return Erasure.objects.of(self.user_id).filter(customer_id=customer_id).first()


class EraseView(_CustomerView):
    """A customer is erased."""

    @operation(
        summary="Erase a customer",
        description="Deletes everything that is stored of the customer: here, at OpenAI and in the storage "
        "of files. It cannot be undone. From then on nothing says who the customer was; the rest is deleted "
        "in the background, and the receipt says how far that is. Late webhooks bring nothing back. If the "
        "customer writes again, they are a new customer. Asked for again, the same receipt is answered.",
        tag=TAG,
        operation_id="erase_customer",
        request=NothingInput,
        responses={202: ErasureSerializer},
        request_example={},
        response_example={**_EXAMPLE, "state": "running", "finished_at": None},
    )
    def post(self, _request: Request, user_id: str, customer_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Begin, or answer the receipt of what was begun."""
        self.read_body(NothingInput)
        row = self.receipt(customer_id)
        if row is None:
            if self.known(customer_id) is None:
                raise not_found("customer_id")
            row = erasure.begin(customer_id=customer_id, source=Erasure.Source.API)
        return Response(ErasureSerializer(row).data, status=HTTPStatus.ACCEPTED)


class ErasureView(_CustomerView):
    """The receipt of an erasure."""

    @operation(
        summary="Get the receipt of an erasure",
        description="Counts what was deleted, and says who asked for it and when.",
        tag=TAG,
        operation_id="get_erasure",
        responses={200: ErasureSerializer},
        response_example=_EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, customer_id: str) -> Response:  # noqa: ARG002
        """Answer it."""
        row = self.receipt(customer_id)
        if row is None:
            raise not_found("customer_id")
        return Response(ErasureSerializer(row).data)


class ExportView(_CustomerView):
    """Everything that is stored of a customer."""

    @operation(
        summary="Export a customer",
        description="Answers everything that is stored of the customer, for a request under Article 15 or 20 "
        "of the GDPR. Files are signed links, which expire: download them right away. It is recorded in the "
        "audit log.",
        tag=TAG,
        operation_id="export_customer",
        responses={200: ExportSerializer},
        response_example=_EXPORT,
    )
    def get(self, _request: Request, user_id: str, customer_id: str) -> Response:  # noqa: ARG002
        """Answer it."""
        customer = self.known(customer_id)
        if customer is None:
            raise not_found("customer_id")
        export.record(customer)
        return Response(export.collect(customer.pk))
