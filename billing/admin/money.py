"""Credits and their ledger: a balance changes by a line with a reason, never by being edited."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.db import DataError
from django.db.models import QuerySet
from django.http import HttpRequest
from ulid import ULID

from billing import ledger
from billing.ledger import InsufficientCreditsError
from billing.models import Credit, CreditEntry
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press
from config.admin.pages import Page

_REFERENCE = re.compile(r"admin:[0-9A-HJKMNP-TV-Z]{26}")
_MOST = 1_000_000_000


class _EntryForm(ButtonForm):
    """An amount, why, and a reference made with the form, so that sending it twice enters it once."""

    reason = widgets.text("Reason", most=255, help_text="Shown in the ledger.")
    reference = forms.RegexField(_REFERENCE, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reference"].initial = f"admin:{ULID()}"


class GrantForm(_EntryForm):
    """A grant adds."""

    amount = widgets.number("Credits to add", least=1, most=_MOST)
    field_order = ("amount", "reason", "reference")


class AdjustForm(_EntryForm):
    """An adjustment adds or takes."""

    amount = widgets.number(
        "Change of the balance", least=-_MOST, most=_MOST, help_text="A negative number takes credits away."
    )
    field_order = ("amount", "reason", "reference")

    def clean_amount(self) -> int:
        """Refuse to change nothing."""
        amount: int = self.cleaned_data["amount"]
        if amount == 0:
            raise forms.ValidationError("0 changes nothing.")
        return amount


def _grant(press: Press) -> str:
    entered = ledger.grant(user_id=press.row.pk, actor=press.actor, **press.data)
    return _summary(f"{press.data['amount']:,} credits granted", press, is_new=entered)


def _adjust(press: Press) -> str:
    entered = ledger.adjust(user_id=press.row.pk, actor=press.actor, **press.data)
    return _summary(f"balance adjusted by {press.data['amount']:+,}", press, is_new=entered)


def _summary(what: str, press: Press, *, is_new: bool) -> str:
    return f"{what}: {press.data['reason']}" if is_new else "was already entered; nothing was changed"


_ERRORS: dict[type[Exception], str] = {
    InsufficientCreditsError: "The business has fewer credits than this takes away.",
    DataError: "The balance would be larger than 2,147,483,647.",
}
# Also on a business's page: a credit has its business's id.
BUTTONS = (
    Button(
        name="grant",
        title="Grant credits",
        permission="billing.grant_credit",
        press=_grant,
        form=GrantForm,
        errors=_ERRORS,
        icon="add_card",
        explanation="Adds credits, for example after a payment.",
    ),
    Button(
        name="adjust",
        title="Adjust the balance",
        permission="billing.adjust_credit",
        press=_adjust,
        form=AdjustForm,
        errors=_ERRORS,
        icon="tune",
        explanation="Corrects the balance up or down. It cannot fall below 0.",
    ),
)


class _StateFilter(admin.SimpleListFilter):
    title = "balance"
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _page: Any) -> list[tuple[str, str]]:
        return [("exhausted", "out of credits"), ("low", "20 % or less was told")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Credit]) -> QuerySet[Credit]:
        if self.value() == "exhausted":
            return queryset.filter(remaining_credits__lt=1)
        return queryset.filter(told_percent__lte=20) if self.value() == "low" else queryset


@admin.register(Credit)
class CreditPage(Page):
    """Balances."""

    list_display = ("business", "remaining_credits", "full_balance", "told_percent", "last_updated")
    list_display_links = ("remaining_credits",)
    list_filter = (_StateFilter,)
    search_fields = ("user__user_id", "user__email", "user__company_name")
    list_select_related = ("user",)
    buttons = BUTTONS


@admin.register(CreditEntry)
class CreditEntryPage(Page):
    """The ledger."""

    list_display = ("id", "business", "kind", "amount", "balance_after", "reason", "actor", "created_at")
    list_filter = ("kind",)
    list_select_related = ("user",)
    looked_up_by = ("id", "user_id")
    search_help_text = "Id of a line or of a business"
