"""Messages that wait in the inbox: no conversation has them yet."""

from typing import Any

from django.db.models import Exists
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import Agent
from billing.api.access import TenantView
from channels_app.models import InboundMessage, PhoneNumber
from config.lib.api.problems import not_found
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import PageQuery
from conversations.api.customer_serializers import EXAMPLE as CUSTOMER
from conversations.api.customer_serializers import CustomerSerializer
from conversations.api.message_serializers import TAG

_EXAMPLE: dict[str, Any] = {
    "inbound_id": 4711,
    "phone_number_id": "109876543210987",
    "customer": CUSTOMER,
    "customer_phone": "12025550123",
    "kind": "text",
    "text": "Is anybody there?",
    "media": [],
    "timestamp": "2026-11-24T12:03:00Z",
    "received_at": "2026-11-24T12:03:01Z",
    "reason": "no_agent",
}


class WaitingMediaSerializer(serializers.Serializer[Any]):
    """A file that came with a waiting message."""

    kind = serializers.CharField(help_text="image, video, audio, voice, document or sticker.")
    mime_type = serializers.CharField(default="", help_text="As the channel reported it.")
    filename = serializers.CharField(default="", help_text="The name that the customer gave the file.")


class WaitingMessageSerializer(serializers.ModelSerializer[InboundMessage]):
    """A message that waits."""

    inbound_id = serializers.IntegerField(
        source="id", read_only=True, help_text="Rises in the order of arrival. The log shows it."
    )
    phone_number_id = serializers.CharField(read_only=True)
    customer = CustomerSerializer(read_only=True)
    customer_phone = serializers.SerializerMethodField(
        help_text="The customer's phone number, or their id on the channel."
    )
    text = serializers.CharField(read_only=True, help_text="The text of the message.")
    media = serializers.SerializerMethodField(
        help_text="Files of the message. They can be downloaded once the message is in a conversation."
    )
    timestamp = serializers.DateTimeField(
        source="sent_at", read_only=True, help_text="When it was written, by the channel's clock."
    )
    received_at = serializers.DateTimeField(read_only=True, help_text="When the service received it.")
    reason = serializers.SerializerMethodField(
        help_text="`no_agent` = no agent answers on the number; `queued` = it is about to be answered."
    )

    class Meta:
        model = InboundMessage
        fields: tuple[str, ...] = (
            *("inbound_id", "phone_number_id", "customer", "customer_phone", "kind", "text", "media"),
            *("timestamp", "received_at", "reason"),
        )
        read_only_fields = fields

    def get_customer_phone(self, row: InboundMessage) -> str:
        """Return the customer's address."""
        return row.customer.address if row.customer else ""

    def get_media(self, row: InboundMessage) -> WaitingMediaSerializer(many=True):  # type: ignore[valid-type]
        """Return what is known of the files."""
        return WaitingMediaSerializer(row.media, many=True).data

    @extend_schema_field(serializers.ChoiceField(choices=["no_agent", "queued"]))
    def get_reason(self, row: InboundMessage) -> str:
        """Return why it waits."""
        return "queued" if row.has_agent else "no_agent"  # type: ignore[attr-defined]  # annotated


class WaitingMessagesView(TenantView):
    """The messages that wait on a number."""

    @operation(
        summary="List waiting messages",
        description="Lists customer messages that are not in a conversation yet, newest first. On a number "
        "without an agent they wait until you put an agent on it; then they are answered, "
        "oldest first, without a replay. On other numbers a message waits only for seconds.",
        tag=TAG,
        operation_id="list_waiting_messages",
        query=PageQuery,
        responses={200: page_serializer(WaitingMessageSerializer)},
        response_example={"data": [_EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str, phone_number_id: str) -> Response:
        """Return a page."""
        if not PhoneNumber.objects.of(user_id).live().filter(pk=phone_number_id).exists():
            raise not_found("phone_number_id")
        # inbound_waiting_by_number
        waiting = InboundMessage.objects.filter(
            phone_number_id=phone_number_id, status=InboundMessage.Status.PENDING
        )
        has_agent = Exists(Agent.objects.live().filter(phone_number_id=phone_number_id))
        return self.page(
            waiting.annotate(has_agent=has_agent)
            .select_related("customer__phone_number")
            .defer("payload", "context"),
            query=self.read_query(PageQuery),
            order=("-id",),
            serializer=WaitingMessageSerializer,
        )
