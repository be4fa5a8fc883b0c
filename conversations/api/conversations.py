"""Conversations, and how people take part in them."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from config.lib.api import etags
from config.lib.api.problems import not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import (
    NothingInput,
    PageQuery,
    QueryFlagField,
    StrictSerializer,
    TextField,
    TimestampField,
    filters,
)
from conversations import closing, listing, takeover
from conversations.api.customer_serializers import EXAMPLE as CUSTOMER
from conversations.api.customer_serializers import CustomerSerializer, customer_id_filter, external_id_filter
from conversations.models import Conversation

TAG = "Conversations"
EXAMPLE: dict[str, Any] = {
    "conversation_id": "cnv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "106540352242922",
    "channel": "whatsapp",
    "customer_phone": "12025550123",
    "customer": CUSTOMER,
    "openai_conversation_id": "conv_68a1b2c3",
    "is_active": True,
    "paused_until": None,
    "pause_reason": "",
    "handover_at": None,
    "handover_reason": "",
    "disclosed_at": "2026-11-24T12:00:03Z",
    "created_at": "2026-11-24T12:00:00Z",
    "last_message_at": "2026-11-24T12:03:00Z",
}
_PAUSED = {**EXAMPLE, "paused_until": "2026-11-24T18:00:00Z", "pause_reason": "Ben takes care of it"}
OVER_ALREADY = ("until_in_the_past", "`until` must be in the future.")
SHORT_PAGES = (
    "With some filters a page may have fewer entries than `limit`, or none, and still have a "
    "`next_cursor`: continue until it is null."
)


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    """A conversation."""

    agent_id = serializers.CharField(read_only=True, help_text="The agent of the conversation.")
    phone_number_id = serializers.CharField(source="customer.phone_number_id", read_only=True)
    channel = serializers.CharField(
        source="customer.phone_number.type", read_only=True, help_text="`whatsapp`, `instagram` or `webchat`."
    )
    customer_phone = serializers.CharField(
        read_only=True, help_text="The customer's phone number, or their id on the channel."
    )
    customer = CustomerSerializer(read_only=True)
    openai_conversation_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The id of its copy at OpenAI; null until the first reply."
    )
    is_active = serializers.BooleanField(read_only=True, help_text="false = ended; nothing is added to it.")
    paused_until = serializers.SerializerMethodField(
        help_text="The AI is paused until then; null = not paused."
    )
    pause_reason = serializers.SerializerMethodField(help_text="Why it is paused; empty if it is not.")
    handover_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="Whether the AI asked for a person and nobody has taken over yet.",
    )

    disclosed_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When the customer was first told that an AI answers (the agent's `disclosure`).",
    )

    class Meta:
        model = Conversation
        fields: tuple[str, ...] = (
            *("conversation_id", "agent_id", "phone_number_id", "channel", "customer_phone", "customer"),
            *("openai_conversation_id", "is_active", "paused_until", "pause_reason"),
            *("handover_at", "handover_reason", "disclosed_at", "created_at", "last_message_at"),
        )
        read_only_fields = fields

    def get_paused_until(self, row: Conversation) -> datetime | None:
        """Return the end of the current pause, if there is one."""
        until = row.customer.paused_until
        return until if until and until > timezone.now() else None

    def get_pause_reason(self, row: Conversation) -> str:
        """Return the reason of the current pause."""
        return row.customer.pause_reason if self.get_paused_until(row) else ""


class ConversationListQuery(PageQuery):
    """What the list of conversations can be narrowed to."""

    agent_id = serializers.CharField(
        required=False, max_length=50, help_text="Only conversations with this agent."
    )
    phone_number_id = serializers.CharField(required=False, max_length=50, help_text="Only on this number.")
    customer_phone = serializers.CharField(
        required=False, max_length=150, help_text="Only with this customer, exactly as shown in responses."
    )
    customer_id = customer_id_filter()
    external_id = external_id_filter()
    is_active = QueryFlagField(required=False, help_text="Only open (`true`) or only closed conversations.")
    paused = QueryFlagField(required=False, help_text="Only those in which the AI is paused (`true`) or not.")
    handover = QueryFlagField(
        required=False, help_text="Only those in which the AI asked for a person (`true`) or did not."
    )
    since = TimestampField(required=False, help_text="Last message at or after this time.")
    until = TimestampField(required=False, help_text="Last message before this time.")


class PauseInput(StrictSerializer):
    """How the AI is paused."""

    until = TimestampField(
        required=False, help_text="When the pause ends; default: at least `TAKEOVER_PAUSE` from now."
    )
    reason = TextField(max_length=50, required=False, help_text="Shown with the pause.")


class ConversationView(TenantView):
    """Finds one conversation for the views below."""

    def serialized(self, conversation_id: str) -> dict[str, Any]:
        """
        Return a conversation of the business, serialized.

        :raises ProblemError: 404 if there is none
        """
        conversation = _rows(Conversation.objects.of(self.user_id)).filter(pk=conversation_id).first()
        if conversation is None:
            raise not_found("conversation_id")
        data: dict[str, Any] = ConversationSerializer(conversation).data
        return data

    def require_conversation(self, conversation_id: str) -> None:
        """
        Look whether there is such a conversation.

        :raises ProblemError: 404 if there is none
        """
        if not Conversation.objects.of(self.user_id).filter(pk=conversation_id).exists():
            raise not_found("conversation_id")


def _rows(rows: Any) -> Any:
    unseen = ("openai_owed", "openai_surplus")
    return rows.select_related("customer__phone_number").defer(*unseen)


class ConversationsView(TenantView):
    """The conversations of a business."""

    @operation(
        summary="List conversations",
        description=f"Newest first, by when they began. {SHORT_PAGES}",
        tag=TAG,
        operation_id="list_conversations",
        query=ConversationListQuery,
        responses={200: page_serializer(ConversationSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(ConversationListQuery)
        conversations = listing.conversations(user_id=user_id, **filters(query))
        return self.page(
            _rows(conversations.rows),
            query=query,
            order=conversations.order,
            serializer=ConversationSerializer,
            walked=conversations.walked,
        )


class OneConversationView(ConversationView):
    """One conversation."""

    @operation(
        summary="Get a conversation",
        description="Returns the conversation: customer, agent, and whether the AI answers.",
        tag=TAG,
        operation_id="get_conversation",
        responses={200: ConversationSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, conversation_id: str) -> Response:  # noqa: ARG002
        """Answer it."""
        return etags.tagged(self.serialized(conversation_id))


class PauseView(ConversationView):
    """A person takes over."""

    @operation(
        summary="Pause the AI",
        description="Pauses the AI until then and discards a reply in progress. Messages are stored as "
        "usual. The pause applies to the customer, in every conversation they have on the "
        "number. Pausing again sets a new end.",
        tag=TAG,
        operation_id="pause_conversation",
        request=PauseInput,
        responses={200: ConversationSerializer},
        errors={422: [OVER_ALREADY]},
        request_example={"until": "2100-01-01T18:00:00Z", "reason": "Ben takes care of it"},
        response_example=_PAUSED,
    )
    def post(self, _request: Request, user_id: str, conversation_id: str) -> Response:  # noqa: ARG002
        """Pause it."""
        self.require_conversation(conversation_id)
        filters = self.read_body(PauseInput)
        refuse_the_past(filters, "until")
        takeover.pause_conversation(
            conversation_id=conversation_id,
            reason=filters.get("reason", "paused"),
            until=filters.get("until"),
        )
        return Response(self.serialized(conversation_id))


class ResumeView(ConversationView):
    """The AI answers again."""

    @operation(
        summary="Let the AI answer again",
        description="Messages from the pause are context for the next reply, but are not answered by "
        "themselves. Does nothing if the AI is not paused.",
        tag=TAG,
        operation_id="resume_conversation",
        request=NothingInput,
        responses={200: ConversationSerializer},
        request_example={},
        response_example=EXAMPLE,
    )
    def post(self, _request: Request, user_id: str, conversation_id: str) -> Response:  # noqa: ARG002
        """Resume it."""
        self.require_conversation(conversation_id)
        self.read_body(NothingInput)
        takeover.resume_conversation(conversation_id=conversation_id)
        return Response(self.serialized(conversation_id))


class CloseView(ConversationView):
    """A conversation comes to an end."""

    @operation(
        summary="Close a conversation",
        description="Closes the conversation. The customer's next message opens a new one, in which the AI "
        "does not remember this one. Does nothing if it is already closed.",
        tag=TAG,
        operation_id="close_conversation",
        request=NothingInput,
        responses={200: ConversationSerializer},
        request_example={},
        response_example={**EXAMPLE, "is_active": False},
    )
    def post(self, _request: Request, user_id: str, conversation_id: str) -> Response:  # noqa: ARG002
        """Close it."""
        self.require_conversation(conversation_id)
        self.read_body(NothingInput)
        closing.close(conversation_id=conversation_id)
        return Response(self.serialized(conversation_id))


def refuse_the_past(filters: dict[str, Any], name: str) -> None:
    """
    Take a moment only if it is yet to come.

    :raises ProblemError: 422 if it is over
    """
    moment = filters.get(name)
    if moment and moment <= timezone.now():
        raise unprocessable(*OVER_ALREADY, field=name)
