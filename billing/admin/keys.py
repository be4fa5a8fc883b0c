"""API keys: created, shown once, and revoked."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils import timezone

from billing import key_descendants, keys
from billing.key_rights import UnknownNumberError
from billing.keys import KeyNotFoundError
from billing.models import ApiKey
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, link

_SCOPES = (
    ("full", "everything, and API keys"),
    ("write", "read and change"),
    ("read", "read only"),
)


class OperatorKeyForm(ButtonForm):
    """The name of a new key, its scope and its end."""

    name = widgets.text("Name", most=100, help_text="The person or program that will use it.")
    scope = widgets.choice("May", choices=_SCOPES, required=False)
    expires_at = widgets.moment(
        "Expires",
        required=False,
        help_text="In UTC. Leave empty for a key that lasts until it is revoked.",
    )

    def clean_scope(self) -> str:
        """Take none as full."""
        return self.cleaned_data["scope"] or ApiKey.Scope.FULL

    def clean_expires_at(self) -> Any:
        """Refuse a key that never works."""
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("Choose a time in the future.")
        return moment


class KeyForm(OperatorKeyForm):
    """The same, and the numbers that a business's key is restricted to."""

    phone_number_ids = widgets.long_text(
        "Restrict to these numbers",
        required=False,
        help_text="One id per line. Leave empty for all numbers and everything that belongs to the whole "
        "business.",
    )

    def clean_phone_number_ids(self) -> list[str] | None:
        """Return the ids, or None where there is none."""
        return str(self.cleaned_data["phone_number_ids"]).split() or None


class RevokeForm(ButtonForm):
    """Whether the keys that a key made are revoked with it."""

    descendants = widgets.switch("Also revoke the keys that were created with it")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        descendants = key_descendants.working(self.row.pk) if self.row else []
        self.fields["descendants"].help_text = (
            f"{', '.join(descendants[:20])} …"[:300] if descendants else "It made none."
        )


def _create_for_business(press: Press) -> Done:
    row, key = keys.create(user_id=press.row.pk, **press.data)
    return Done(f"Key {row.prefix} was created for {press.row}.", secret=key, row=row)


def _create_for_operator(press: Press) -> Done:
    row, key = keys.create(user_id=None, **press.data)
    return Done(f"Operator key {row.prefix} was created.", secret=key, row=row)


def _revoke(press: Press) -> str:
    ended = keys.revoke(user_id=press.row.user_id, prefix=press.row.pk, **press.data)
    return f"revoked: {', '.join(ended) or 'nothing: all had already ended'}"


CREATE = Button(
    name="create-key",
    group="New",
    title="New API key",
    permission="billing.add_apikey",
    press=_create_for_business,
    form=KeyForm,
    errors={UnknownNumberError: "The business has no phone number with this id."},
    icon="key",
    explanation="The business uses it to call the API. It is shown only once, on the next page.",
)


@admin.register(ApiKey)
class ApiKeyPage(Page):
    """Keys, without what would let one use them."""

    is_audited = True
    list_display = (
        *("prefix", "name", "business", "scope", "phone_number_ids", "created_by", "parent"),
        *("created_at", "last_used_at", "expires_at", "revoked_at"),
    )
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter), ("user", admin.EmptyFieldListFilter))
    search_fields = ("prefix", "name", "user__user_id", "user__company_name")
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    list_select_related = ("user", "parent")
    secret = ("hashed_key",)
    buttons = (
        Button(
            name="revoke",
            title="Revoke",
            permission="billing.revoke_apikey",
            press=_revoke,
            form=RevokeForm,
            errors={KeyNotFoundError: "This key no longer works."},
            is_offered=lambda key: key.revoked_at is None or bool(key_descendants.working(key.pk)),
            icon="key_off",
            is_dangerous=True,
            explanation="Requests with this key are refused from now on. This cannot be undone.",
        ),
    )
    list_buttons = (
        Button(
            name="create-operator-key",
            title="New operator key",
            permission="billing.add_apikey",
            press=_create_for_operator,
            form=OperatorKeyForm,
            icon="key",
            explanation="An operator key can do everything for every business. It is shown only once.",
        ),
    )

    @admin.display(description="business")
    def business(self, row: ApiKey) -> Any:
        """Link to whose it is."""
        return link(row.user) if row.user_id else "operator"
