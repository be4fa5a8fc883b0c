"""Turns and deliveries: what the machine did, for whoever wants to know why."""

from typing import Any

from django.contrib import admin
from unfold.decorators import display

from config.admin.pages import Page, link, since
from conversations.models import Delivery, Turn


@admin.register(Turn)
class TurnPage(Page):
    """Turns."""

    list_display = (
        "turn_id",
        "state_label",
        "conversation_link",
        "attempts",
        "error",
        "created_at",
        "closed_at",
    )
    list_filter = (since("trn"), "state")
    looked_up_by = ("turn_id", "conversation_id", "customer_id")
    search_help_text = "Id of a turn, a conversation or a customer"
    list_select_related = ("conversation",)
    secret = ("lease_token",)

    @display(
        description="state",
        label={"claimed": "info", "answered": "info", "done": "success", "failed": "danger"},
    )
    def state_label(self, row: Turn) -> str:
        """Show the state."""
        return row.state

    @admin.display(description="conversation")
    def conversation_link(self, row: Turn) -> Any:
        """Link to the conversation."""
        return link(row.conversation)


@admin.register(Delivery)
class DeliveryPage(Page):
    """Deliveries."""

    list_display = ("delivery_id", "state_label", "message_link", "attempt", "part", "error", "created_at")
    list_filter = (since("dlv"), "state")
    looked_up_by = ("delivery_id", "message_id", "provider_message_id")
    search_help_text = "Id of a delivery or a message, or the channel's id"
    list_select_related = ("message",)
    secret = ("lease_token",)

    @display(
        description="state",
        label={
            "pending": "info",
            "sending": "info",
            "sent": "default",
            "delivered": "success",
            "read": "success",
            "failed": "danger",
            "unknown": "warning",
            "cancelled": "default",
        },
    )
    def state_label(self, row: Delivery) -> str:
        """Show the state."""
        return row.state

    @admin.display(description="message")
    def message_link(self, row: Delivery) -> Any:
        """Link to the message."""
        return link(row.message, row.message_id)
