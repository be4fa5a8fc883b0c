"""The admin's pages of numbers, customers, the inbox and what else a channel told."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from unfold.decorators import display

from billing.models import User
from channels_app import numbers, ownership
from channels_app.models import ChannelEvent, Customer, DeadLetter, InboundMessage, PhoneNumber
from channels_app.numbers import InvalidNumberError, NumberExistsError, NumberNotFoundError
from channels_app.ownership import NotTheOwnerError
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, ReceivedSince, extend, link, since

# What a customer may be known by; each is unique on a number, so it is looked for number by number.
_NAMES = ("wa_id", "bsuid", "ig_id", "visitor_id", "external_id")
_STATUS_LABELS = {
    "pending": "info",
    "processing": "info",
    "done": "success",
    "failed": "danger",
    "rejected": "warning",
    "ignored": "default",
}
# Numbers one search looks through.
_MOST_NUMBERS = 5000


def known_as(term: str) -> Q:
    """Return the customers with this phone number or id, by the existing indexes."""
    numbers = list(PhoneNumber.objects.values_list("pk", flat=True)[:_MOST_NUMBERS])
    condition = Q(pk=term)
    for name in _NAMES:
        condition |= Q(phone_number__in=numbers, **{name: term.lstrip("+") if name == "wa_id" else term})
    return condition


class ChangeForm(ButtonForm):
    """What may be changed of a number. Its token can be put in and never be read."""

    display_name = widgets.text("Name", required=False)
    external_number = widgets.text("Number or account", most=100, help_text="As customers see it.")
    access_token = widgets.secret(
        "Access token", required=False, help_text="Leave empty to keep the current token. It is never shown."
    )
    api_base_url = widgets.text(
        "Meta API address", required=False, most=200, help_text="Leave empty for the default."
    )
    sender_id = widgets.text(
        "Sends as", required=False, most=50, help_text="Leave empty to use the number's own id."
    )


class RegisterForm(ChangeForm):
    """What is known of a new number."""

    type = widgets.choice("Channel", choices=PhoneNumber.Type.choices)
    phone_number_id = widgets.text(
        "Id",
        required=False,
        most=50,
        help_text="Meta's phone_number_id. Leave empty for a web chat: it gets an id of its own.",
    )
    access_token = widgets.secret("Access token", required=False, help_text="It is never shown.")
    field_order = ("type", "phone_number_id", "external_number", "display_name", "access_token")


def _register(press: Press) -> Done:
    data = press.data
    if not (data["type"] == PhoneNumber.Type.WEBCHAT and not data["phone_number_id"]):
        _confirm(data["type"], data["phone_number_id"], data)
    number = numbers.register(user_id=press.row.pk, **data)
    return Done(f"{number.phone_number_id} was registered", secret=number.new_secret, row=number)


def _change(press: Press) -> str:
    changes = dict(press.data)
    if not changes["access_token"]:
        del changes["access_token"]
    token = changes.get("access_token", "")
    if token:
        _confirm(press.row.type, press.row.pk, changes)
    numbers.change(phone_number_id=press.row.pk, **changes)
    return "saved, with a new access token" if token else "saved"


def _confirm(channel: str, phone_number_id: str, data: dict[str, Any]) -> None:
    ownership.require(
        channel=channel,
        phone_number_id=phone_number_id,
        access_token=data["access_token"],
        api_base_url=data["api_base_url"],
    )


_ERRORS: dict[type[Exception], str] = {
    InvalidNumberError: "",
    NumberExistsError: "This number is already registered.",
    NumberNotFoundError: "This number was deleted.",
    NotTheOwnerError: "Meta does not let this access token read this number. Check both.",
}


@admin.register(PhoneNumber)
class PhoneNumberPage(Page):
    """Numbers, without their tokens."""

    is_audited = True
    list_display = (
        *("phone_number_id", "display_name", "type", "external_number", "business", "created_at"),
        "deleted_at",
    )
    list_filter = ("type", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("phone_number_id", "display_name", "external_number")
    ordering = ("-created_at",)
    list_select_related = ("user",)
    secret = ("access_token",)
    buttons = (
        Button(
            name="change-number",
            title="Edit",
            permission="channels_app.change_phonenumber",
            press=_change,
            form=ChangeForm,
            errors=_ERRORS,
            initial=lambda number: {
                name: getattr(number, name)
                for name in ("display_name", "external_number", "api_base_url", "sender_id")
            },
            is_offered=lambda number: number.deleted_at is None,
            icon="edit",
        ),
    )

    @admin.display(description="business")
    def business(self, row: PhoneNumber) -> Any:
        """Link to the business."""
        return link(row.user)


@admin.register(Customer)
class CustomerPage(Page):
    """People who write to a number."""

    list_display = (
        *("customer_id", "name", "username", "address", "external_id", "number", "paused_until"),
        "created_at",
    )
    list_filter = (since("cus"),)
    search_help_text = "Phone number, or any of their ids, exactly"
    looked_up_by = ("customer_id",)
    # Not the number: it may not be registered, and a join would hide whoever writes to it.
    list_select_related = False
    secret = ("phone_number",)
    readonly_fields = ("phone_number_id",)

    def matches(self, term: str) -> Q:
        """Look for all their ids."""
        return known_as(term)

    @admin.display(description="number")
    def number(self, row: Customer) -> Any:
        """Name the number they write to, which may not be registered."""
        return row.phone_number_id


@admin.register(InboundMessage)
class InboundMessagePage(Page):
    """The inbox."""

    list_display = ("id", "status_label", "reason", "kind", "phone_number_id", "customer_link", "received_at")
    list_filter = ("status", ReceivedSince)
    looked_up_by = ("id", "turn_id", "customer_id")
    search_help_text = "Id of a row, a turn or a customer"
    list_select_related = ("customer",)
    secret = ("payload", "media", "phone_number")
    readonly_fields = ("phone_number_id",)

    @display(description="status", label=_STATUS_LABELS)
    def status_label(self, row: InboundMessage) -> str:
        """Show the status."""
        return row.status

    @admin.display(description="customer")
    def customer_link(self, row: InboundMessage) -> Any:
        """Link to who wrote it."""
        return link(row.customer)


@admin.register(ChannelEvent)
class ChannelEventPage(Page):
    """Statuses, echoes, edits and whatever else a channel told."""

    list_display = ("id", "kind", "outcome", "phone_number_id", "occurred_at", "received_at", "applied_at")
    list_filter = (ReceivedSince,)
    looked_up_by = ("id",)
    search_help_text = "Id of an event"
    secret = ("payload", "person", "data", "phone_number", "event_key")
    readonly_fields = ("phone_number_id",)


@admin.register(DeadLetter)
class DeadLetterPage(Page):
    """Signed bodies that could not be read."""

    list_display = ("id", "reason", "phone_number_id", "received_at", "replayed_at")
    list_filter = (("replayed_at", admin.EmptyFieldListFilter), ReceivedSince)
    looked_up_by = ("id",)
    search_help_text = "Id of a letter"
    secret = ("raw",)

    def get_queryset(self, request: Any) -> Any:
        """Leave the bodies in the database: they are megabytes."""
        return super().get_queryset(request).defer("raw")


extend(
    User,
    buttons=[
        Button(
            name="register-number",
            group="New",
            title="Register a number",
            permission="channels_app.add_phonenumber",
            press=_register,
            form=RegisterForm,
            errors=_ERRORS,
            icon="add_call",
            explanation="Customers get replies once an agent is put on the number.",
        )
    ],
)
