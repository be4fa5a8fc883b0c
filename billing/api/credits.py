"""Credits: the balance, its ledger, and how operators fill it."""

import hashlib
from http import HTTPStatus
from typing import Any

from django.db import DataError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import ledger
from billing.api.access import TenantView
from billing.idempotency import HEADER, REUSED
from billing.ledger import InsufficientCreditsError
from billing.models import Credit, CreditEntry
from config.lib.api.problems import unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import ChoiceField, IntegerField, PageQuery, StrictSerializer, TextField

TAG = "Credits"
MOST = 1_000_000_000
_TOO_FEW = ("insufficient_credits", "The business has fewer credits than this takes away.")
_OUT_OF_RANGE = (
    "amount_out_of_range",
    "A grant must be more than 0, an adjustment must not be 0, and both must fit into 32 bits.",
)
EXAMPLE: dict[str, Any] = {
    "entry_id": 42,
    "kind": "grant",
    "amount": 500,
    "reason": "invoice 2026-118",
    "actor": "key:9f2c41ab",
    "reference": "usr_01KB2T7M3G5Q8R9S0T1V2W3X4Y:invoice-2026-118",
    "balance_after": 500,
    "created_at": "2026-11-24T12:00:00Z",
}


class CreditEntrySerializer(serializers.ModelSerializer[CreditEntry]):
    """A line of the ledger."""

    entry_id = serializers.IntegerField(source="id", read_only=True)
    amount = serializers.IntegerField(help_text="Credits added (positive) or taken (negative).")
    reference = serializers.CharField(help_text="What it was for, for example the turn that was charged.")

    class Meta:
        model = CreditEntry
        fields = (
            *("entry_id", "kind", "amount", "reason", "actor", "reference", "balance_after", "created_at"),
        )
        read_only_fields = fields


class CreditInput(StrictSerializer):
    """A change of the balance."""

    kind = ChoiceField(choices=["grant", "adjustment"], help_text="`grant` adds; `adjustment` corrects.")
    amount = IntegerField(
        min_value=-MOST,
        max_value=MOST,
        help_text="Credits: more than 0 for a grant, not 0 for an adjustment.",
    )
    reason = TextField(max_length=255, help_text="Shown in the ledger.")


class CreditsView(TenantView):
    """The balance of a user and its ledger."""

    operator_methods = ("POST",)

    @operation(
        summary="Get credits",
        description="Returns the balance and a page of its ledger, newest line first. Each AI reply costs "
        "`CREDITS_PER_REPLY`; a failed one is refunded.",
        tag=TAG,
        operation_id="get_credits",
        query=PageQuery,
        responses={
            200: page_serializer(
                CreditEntrySerializer,
                user_id=serializers.CharField(),
                remaining_credits=serializers.IntegerField(min_value=0),
                last_updated=serializers.DateTimeField(allow_null=True),
            )
        },
        response_example={
            "user_id": "usr_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
            "remaining_credits": 500,
            "last_updated": "2026-11-24T12:00:00Z",
            "data": [EXAMPLE],
            "next_cursor": None,
        },
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Answer the balance and a page."""
        credit = Credit.objects.filter(user_id=user_id).first()
        return self.page(
            CreditEntry.objects.filter(user_id=user_id),
            query=self.read_query(PageQuery),
            order=("-id",),
            serializer=CreditEntrySerializer,
            user_id=user_id,
            remaining_credits=credit.remaining_credits if credit else 0,
            last_updated=serializers.DateTimeField().to_representation(credit.last_updated)
            if credit
            else None,
        )

    @operation(
        summary="Grant or adjust credits",
        description="Adds a line to the ledger and changes the balance, which cannot fall below 0. "
        "Operators only: a business cannot grant itself credits.",
        tag=TAG,
        operation_id="change_credits",
        request=CreditInput,
        responses={201: CreditEntrySerializer},
        errors={
            422: [
                _TOO_FEW,
                _OUT_OF_RANGE,
            ]
        },
        requires_idempotency_key=True,
        operators_only=True,
        request_example={"kind": "grant", "amount": 500, "reason": "invoice 2026-118"},
        response_example=EXAMPLE,
    )
    def post(self, request: Request, user_id: str) -> Response:
        """Enter a line."""
        data = self.read_body(CreditInput)
        reference = _reference(user_id, request.headers[HEADER])
        kind, amount, reason = data["kind"], data["amount"], data["reason"]
        if amount == 0 or (kind == "grant" and amount < 0):
            raise unprocessable(*_OUT_OF_RANGE, field="amount")
        enter = {"grant": ledger.grant, "adjustment": ledger.adjust}[kind]
        try:
            enter(user_id=user_id, amount=amount, reference=reference, reason=reason, actor=self.caller.actor)
        except InsufficientCreditsError as error:
            raise unprocessable(*_TOO_FEW, field="amount") from error
        except DataError as error:
            raise unprocessable(*_OUT_OF_RANGE, field="amount") from error
        entry = CreditEntry.objects.get(kind=kind, reference=reference)
        # Entered before, and the answer is forgotten; or by another operator with the same key by chance.
        if (entry.amount, entry.actor) != (amount, self.caller.actor):
            raise unprocessable(*REUSED)
        return Response(CreditEntrySerializer(entry).data, status=HTTPStatus.CREATED)


def _reference(user_id: str, key: str) -> str:
    """Name a change in the ledger, which enters each once, also after the answer is forgotten."""
    plain = f"{user_id}:{key}"
    return plain if len(plain) <= 200 else f"{user_id}:{hashlib.sha256(key.encode()).hexdigest()}"
