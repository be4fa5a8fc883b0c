"""Messages, and the buttons for those that failed or whose outcome is unknown."""

from typing import Any

from django.contrib import admin
from django.utils.text import Truncator
from unfold.decorators import display

from billing.ledger import InsufficientCreditsError
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press, admin_url
from config.admin.pages import Page, link, since
from conversations import refunds, retrying
from conversations.models import Message
from conversations.refunds import NotRefundableError
from conversations.retrying import MayHaveArrivedError, NotFailedError, TakenBackError
from conversations.service_window import WindowClosedError

STATUS_LABELS = {
    "pending": "info",
    "sent": "default",
    "delivered": "success",
    "read": "success",
    "failed": "danger",
    "unknown": "warning",
}


class RefundForm(ButtonForm):
    """Why."""

    reason = widgets.text("Reason", most=200)


def _retry(press: Press) -> str:
    is_begun = retrying.retry(message_id=press.row.pk, actor=press.actor)
    return "will be retried" if is_begun else "is already being retried"


def _send_again(press: Press) -> str:
    is_begun = retrying.retry(message_id=press.row.pk, actor=press.actor, may_repeat=True)
    return "will be sent again" if is_begun else "is already being sent again"


def _refund(press: Press) -> str:
    refunded = refunds.refund_by_hand(message_id=press.row.pk, reason=press.data["reason"], actor=press.actor)
    return f"{refunded} credits refunded ({press.data['reason']})"


_RETRY_ERRORS = {
    NotFailedError: "The message did not fail, so there is nothing to retry.",
    MayHaveArrivedError: "The customer may already have this message. Use “Send again” to send it anyway.",
    TakenBackError: "The customer deleted this message, so it is not answered.",
    WindowClosedError: (
        "The customer last wrote more than 24 hours ago, so the channel accepts no messages. You can send "
        "again once they write."
    ),
    InsufficientCreditsError: "The business has no credits left. Grant credits first.",
}
RETRY = Button(
    name="retry",
    title="Retry",
    permission="conversations.retry_message",
    press=_retry,
    errors=_RETRY_ERRORS,
    is_offered=lambda message: message.status == Message.Status.FAILED,
    back=lambda message: admin_url(message.conversation),
    icon="replay",
    explanation="A customer's message is answered; a reply is sent again. A reply that was refunded is "
    "charged again.",
)

SEND_AGAIN = Button(
    name="send-again",
    title="Send again",
    permission="conversations.retry_message",
    press=_send_again,
    errors=_RETRY_ERRORS,
    is_offered=lambda message: message.status == Message.Status.UNKNOWN,
    back=lambda message: admin_url(message.conversation),
    icon="replay",
    is_dangerous=True,
    explanation="It is not known whether the customer already has this message. If so, they get it twice. "
    "It costs nothing more unless it was refunded.",
)
REFUND = Button(
    name="refund",
    title="Refund",
    permission="conversations.refund_message",
    press=_refund,
    form=RefundForm,
    errors={NotRefundableError: "There is nothing to refund for this message."},
    is_offered=lambda message: message.status == Message.Status.UNKNOWN and message.author == "ai",
    icon="undo",
    explanation="The business gets back the cost of the reply. It stays refunded even if the reply turns "
    "out to have arrived.",
)


@admin.register(Message)
class MessagePage(Page):
    """Messages."""

    list_display = (
        "message_id",
        "status_label",
        "author",
        "short",
        "conversation_link",
        "timestamp",
        "failure_reason",
    )
    list_filter = (since("msg"), "status", "author")
    looked_up_by = ("message_id", "conversation_id", "turn_id", "provider_message_id")
    search_help_text = "Id of a message, a conversation or a turn, or the channel's id"
    list_select_related = ("conversation",)
    secret = ("media", "openai_item_ids", "inbound")
    buttons = (RETRY, SEND_AGAIN, REFUND)

    @display(description="status", label=STATUS_LABELS)
    def status_label(self, row: Message) -> str:
        """Show the status."""
        return row.status

    @admin.display(description="text")
    def short(self, row: Message) -> str:
        """Show how it begins."""
        return Truncator(row.text).chars(80)

    @admin.display(description="conversation")
    def conversation_link(self, row: Message) -> Any:
        """Link to the conversation."""
        return link(row.conversation)
