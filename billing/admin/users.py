"""Businesses and what they were told. Rooms above add buttons of theirs to a business's page."""

import zoneinfo

from django import forms
from django.contrib import admin
from unfold.widgets import UnfoldAdminEmailInputWidget

from billing import accounts
from billing.accounts import EmailTakenError
from billing.admin import keys, money
from billing.models import Event, User
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, since


class BusinessForm(ButtonForm):
    """What is known of a business."""

    email = forms.EmailField(label="E-mail", max_length=255, widget=UnfoldAdminEmailInputWidget())
    company_name = widgets.text("Company", required=False)
    timezone = widgets.text("Time zone", most=64, help_text="For example Europe/Berlin.")
    notify_email = forms.EmailField(
        label="E-mail for leads",
        required=False,
        max_length=255,
        help_text="Receives e-mails about leads. Leave empty to send none.",
        widget=UnfoldAdminEmailInputWidget(),
    )

    def clean_timezone(self) -> str:
        """Refuse what is no time zone."""
        name: str = self.cleaned_data["timezone"]
        if name not in zoneinfo.available_timezones():
            raise forms.ValidationError("This is not a time zone. Use a name such as Europe/Berlin.")
        return name


def _open(press: Press) -> Done:
    user, _, key = accounts.open_account(**press.data)
    return Done(f"{user} was created, with its first key.", row=user, secret=key)


def _change(press: Press) -> str:
    accounts.change(press.row, **press.data)
    return "saved"


_TAKEN: dict[type[Exception], str] = {EmailTakenError: "Another business has this e-mail address."}


@admin.register(User)
class BusinessPage(Page):
    """Businesses."""

    is_audited = True
    list_display = ("user_id", "company_name", "email", "timezone", "created_at")
    search_fields = ("user_id", "company_name", "email")
    buttons = (
        Button(
            name="change-business",
            title="Edit",
            permission="billing.change_user",
            press=_change,
            form=BusinessForm,
            errors=_TAKEN,
            initial=lambda user: {
                "email": user.email,
                "company_name": user.company_name,
                "timezone": user.timezone,
                "notify_email": user.notify_email,
            },
            icon="edit",
        ),
        *money.BUTTONS,
        keys.CREATE,
    )
    list_buttons = (
        Button(
            name="open-account",
            title="New business",
            permission="billing.add_user",
            press=_open,
            form=BusinessForm,
            errors=_TAKEN,
            initial=lambda _: {"timezone": "UTC"},
            icon="add_business",
            explanation="It starts with no credits and one API key, which is shown only once.",
        ),
    )


@admin.register(Event)
class EventPage(Page):
    """What businesses are told."""

    list_display = ("event_id", "type", "business", "conversation_id", "created_at")
    list_filter = (since("evt"), "type")
    looked_up_by = ("event_id", "user_id")
    search_help_text = "Id of an event or of a business"
    list_select_related = ("user",)
    secret = ("data",)
