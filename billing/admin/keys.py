"""API keys: made, shown once, and revoked."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils import timezone

from billing import keys
from billing.keys import KeyNotFoundError
from billing.models import ApiKey
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, link


class KeyForm(ButtonForm):
    """What a new key is called, and until when it works."""

    name = widgets.text("Name", most=100, help_text="Who or what will use it.")
    expires_at = widgets.moment(
        "Works until", required=False, help_text="In UTC. Empty: until it is revoked."
    )

    def clean_expires_at(self) -> Any:
        """Refuse a key that never works."""
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("That is in the past.")
        return moment


def _create_for_business(press: Press) -> Done:
    row, key = keys.create(user_id=press.row.pk, **press.data)
    return Done(f"Key {row.prefix} was made for {press.row}.", secret=key, row=row)


def _create_for_operator(press: Press) -> Done:
    row, key = keys.create(user_id=None, **press.data)
    return Done(f"Operator key {row.prefix} was made.", secret=key, row=row)


def _revoke(press: Press) -> str:
    keys.revoke(user_id=press.row.user_id, prefix=press.row.pk)
    return f"key {press.row.pk} does not work any more"


CREATE = Button(
    name="create-key",
    group="New",
    title="New API key",
    permission="billing.add_apikey",
    press=_create_for_business,
    form=KeyForm,
    icon="key",
    explanation="With it the business calls our API. It is shown once, right after this.",
)


@admin.register(ApiKey)
class ApiKeyPage(Page):
    """Keys, without what would let one use them."""

    list_display = ("prefix", "name", "business", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), ("user", admin.EmptyFieldListFilter))
    search_fields = ("prefix", "name", "user__user_id", "user__company_name")
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    list_select_related = ("user",)
    secret = ("hashed_key",)
    buttons = (
        Button(
            name="revoke",
            title="Revoke",
            permission="billing.revoke_apikey",
            press=_revoke,
            errors={KeyNotFoundError: "This key does not work any more as it is."},
            is_offered=lambda key: key.revoked_at is None,
            icon="key_off",
            is_dangerous=True,
            explanation="Whoever uses this key is refused from the next request on. There is no way back.",
        ),
    )
    list_buttons = (
        Button(
            name="create-operator-key",
            title="New operator key",
            permission="billing.add_apikey",
            press=_create_for_operator,
            form=KeyForm,
            icon="key",
            explanation="An operator key may do everything for every business. It is shown once.",
        ),
    )

    @admin.display(description="business")
    def business(self, row: ApiKey) -> Any:
        """Link to whose it is."""
        return link(row.user) if row.user_id else "operator"
