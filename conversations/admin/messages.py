"""Messages, and the button that tries a failed one again."""

from typing import Any

from django.contrib import admin
from django.utils.text import Truncator
from unfold.decorators import display

from billing.ledger import InsufficientCreditsError
from config.admin.buttons import Button, Press, page_of
from config.admin.pages import Page, link, since
from conversations import retrying
from conversations.models import Message
from conversations.retrying import NotFailedError
from conversations.windows import WindowClosedError

STATUS_LABELS = {
    "pending": "info",
    "sent": "default",
    "delivered": "success",
    "read": "success",
    "failed": "danger",
}


def _retry(press: Press) -> str:
    is_begun = retrying.retry(message_id=press.row.pk, actor=press.actor)
    return "is tried again" if is_begun else "is being tried again already"


RETRY = Button(
    name="retry",
    title="Retry",
    permission="conversations.retry_message",
    press=_retry,
    errors={
        NotFailedError: "It did not fail, so there is nothing to try again.",
        WindowClosedError: "The customer last wrote more than 24 hours ago: nothing can be sent now.",
        InsufficientCreditsError: "The business has no credits to send it again.",
    },
    is_offered=lambda message: message.status == Message.Status.FAILED,
    back=lambda message: page_of(message.conversation),
    icon="replay",
    explanation="A customer's message is answered, a reply is sent again; one that was refunded is charged.",
)


@admin.register(Message)
class MessagePage(Page):
    """Messages."""

    list_display = ("message_id", "shown_status", "author", "short", "talk", "timestamp", "failure_reason")
    list_filter = (since("msg"), "status", "author")
    looked_up_by = ("message_id", "conversation_id", "turn_id", "provider_message_id")
    search_help_text = "Id of a message, a conversation or a turn, or the channel's id"
    list_select_related = ("conversation",)
    secret = ("media", "openai_item_ids", "inbound")
    buttons = (RETRY,)

    @display(description="status", label=STATUS_LABELS)
    def shown_status(self, row: Message) -> str:
        """Show the status."""
        return row.status

    @admin.display(description="text")
    def short(self, row: Message) -> str:
        """Show how it begins."""
        return Truncator(row.text).chars(80)

    @admin.display(description="conversation")
    def talk(self, row: Message) -> Any:
        """Link to the conversation."""
        return link(row.conversation)
