"""Conversations: read like a chat, and taken part in."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from unfold.decorators import display

from channels_app.admin import known_as
from channels_app.models import Customer
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press
from config.admin.pages import Page, link, since
from config.lib import ids
from conversations import closing, staff_reply, takeover
from conversations.admin import files
from conversations.admin.chat import newest_lines
from conversations.models import Conversation
from conversations.service_window import WindowClosedError
from conversations.staff_reply import ChannelGoneError, ConversationClosedError, EmptyTextError

# Customers a search for a phone number may find.
_MOST_CUSTOMERS = 1000


class ReplyForm(ButtonForm):
    """What staff says."""

    text = widgets.long_text("Your reply")
    # Made with the form: sending it twice says it once.
    message_id = forms.RegexField(r"\Amsg_[0-9A-HJKMNP-TV-Z]{26}\Z", widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["message_id"].initial = ids.new("msg")


class PauseForm(ButtonForm):
    """Why, and for how long."""

    reason = widgets.text("Reason", required=False, most=50)
    until = widgets.moment("Until", required=False, help_text="In UTC. Leave empty for the usual time.")


def _reply(press: Press) -> str:
    message = staff_reply.send(
        conversation_id=press.row.pk,
        text=press.data["text"],
        actor=press.actor,
        message_id=press.data["message_id"],
    )
    return f"reply sent as {message.pk}; the AI is paused"


def _pause(press: Press) -> str:
    reason = press.data["reason"] or press.actor
    takeover.pause_conversation(conversation_id=press.row.pk, reason=reason, until=press.data["until"])
    return f"the AI is paused ({reason})"


def _resume(press: Press) -> str:
    takeover.resume_conversation(conversation_id=press.row.pk)
    return "the AI is active again"


def _close(press: Press) -> str:
    return "ended" if closing.close(conversation_id=press.row.pk) else "was already closed"


def _is_paused(conversation: Conversation) -> bool:
    until = conversation.customer.paused_until
    return until is not None and until > timezone.now()


REPLY = Button(
    name="reply",
    title="Reply",
    permission="conversations.reply_conversation",
    press=_reply,
    form=ReplyForm,
    errors={
        ConversationClosedError: "This conversation is closed. Answer in the newest conversation of the "
        "customer.",
        WindowClosedError: (
            "The customer last wrote more than 24 hours ago, so the channel accepts no messages. You can "
            "send again once they write."
        ),
        ChannelGoneError: "The number was deleted, or the service cannot send on its channel.",
        EmptyTextError: "Write a message first.",
    },
    is_offered=lambda conversation: conversation.is_active,
    is_inline=True,
    explanation="The customer gets your text as it is, and the AI is paused. It costs no credits.",
)


class _HandoverFilter(admin.SimpleListFilter):
    title = "person"
    parameter_name = "handover"

    def lookups(self, _request: HttpRequest, _page: Any) -> list[tuple[str, str]]:
        return [("waiting", "asked for a person"), ("paused", "a person answers")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        if self.value() == "waiting":
            return queryset.filter(handover_at__isnull=False)
        if self.value() == "paused":
            return queryset.filter(customer__paused_until__gt=timezone.now())
        return queryset


@admin.register(Conversation)
class ConversationPage(Page):
    """Conversations."""

    list_display = (
        *("conversation_id", "customer_phone", "who", "agent_link", "is_active", "paused"),
        *("handover_at", "last_message_at"),
    )
    list_filter = (since("cnv"), "is_active", _HandoverFilter)
    looked_up_by = ("conversation_id", "openai_conversation_id", "agent_id", "user_id")
    search_help_text = "Phone number or id of the customer, id of the conversation or of the agent, exactly"
    list_select_related = ("agent", "customer__phone_number")
    change_form_template = "admin/conversations/conversation/change_form.html"
    buttons = (
        REPLY,
        Button(
            name="pause",
            title="Pause the AI",
            permission="conversations.pause_conversation",
            press=_pause,
            form=PauseForm,
            is_offered=lambda conversation: not _is_paused(conversation),
            icon="pause_circle",
            explanation="You take over. A reply in progress is discarded.",
        ),
        Button(
            name="resume",
            title="Let the AI answer",
            permission="conversations.resume_conversation",
            press=_resume,
            is_offered=lambda conversation: _is_paused(conversation) or conversation.handover_at is not None,
            icon="play_circle",
            explanation="The AI will know what was written during the pause, but will not answer it.",
        ),
        Button(
            name="close",
            title="Close",
            permission="conversations.close_conversation",
            press=_close,
            is_offered=lambda conversation: conversation.is_active,
            icon="archive",
            is_dangerous=True,
            explanation="The customer's next message opens a new conversation.",
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the files in the chat."""
        return [files.route(self), *super().get_urls()]

    def matches(self, term: str) -> Q:
        """Look for the customer as well."""
        people = list(Customer.objects.filter(known_as(term)).values_list("pk", flat=True)[:_MOST_CUSTOMERS])
        return super().matches(term) | Q(customer__in=people)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the chat."""
        conversation: Conversation = context["original"]
        offered = {button.name for button in self.offered(request, conversation)}
        context |= newest_lines(request, conversation)
        context["facts"] = self._facts(conversation)
        context["reply_url"] = REPLY.url(self, conversation) if "reply" in offered else ""
        context["reply_id"] = ids.new("msg")
        return super().render_change_form(request, context, *args, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        """Read along what a page shows of others."""
        rows: QuerySet[Conversation] = super().get_queryset(request)
        return rows.select_related("agent", "customer__phone_number")

    def _facts(self, conversation: Conversation) -> list[tuple[str, Any]]:
        customer = conversation.customer
        facts: list[tuple[str, Any]] = [
            ("Customer", link(customer, customer.name or customer.address)),
            ("Known as", conversation.customer_phone),
            *([("External id", customer.external_id)] if customer.external_id else []),
            ("Agent", link(conversation.agent)),
            ("Number", customer.phone_number_id),
            ("State", "open" if conversation.is_active else "ended"),
            (
                "AI",
                f"paused until {customer.paused_until:%Y-%m-%d %H:%M}"
                if _is_paused(conversation)
                else "answers",
            ),
        ]
        if _is_paused(conversation) and customer.pause_reason:
            facts.append(("Pause reason", customer.pause_reason))
        if conversation.handover_at:
            facts.append(
                (
                    "Asked for a person",
                    conversation.handover_reason or f"{conversation.handover_at:%Y-%m-%d %H:%M}",
                )
            )
        return [
            *facts,
            ("Messages", f"{conversation.last_sequence_no:,}"),
            ("Began", f"{conversation.created_at:%Y-%m-%d %H:%M}"),
            ("Last message", f"{conversation.last_message_at:%Y-%m-%d %H:%M}"),
            ("Id", conversation.pk),
            ("OpenAI conversation", conversation.openai_conversation_id or "-"),
        ]

    @admin.display(description="customer")
    def who(self, row: Conversation) -> Any:
        """Link to the customer."""
        return link(row.customer)

    @admin.display(description="agent")
    def agent_link(self, row: Conversation) -> Any:
        """Link to the agent."""
        return link(row.agent)

    @display(description="AI", label={"paused": "warning", "answers": "success"})
    def paused(self, row: Conversation) -> str:
        """Return whether a person answers, or the AI."""
        return "paused" if _is_paused(row) else "answers"
