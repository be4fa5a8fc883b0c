"""Messages: what was said, by whom, and how far it got."""

from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.access import TenantView
from billing.ledger import InsufficientCreditsError
from config.lib.api import etags
from config.lib.api.problems import conflict, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import ChoiceField, FlagField, PageQuery, StrictSerializer, TimestampField
from conversations import listing, message_object, retrying
from conversations.api.conversations import SHORT_PAGES
from conversations.api.customer_serializers import customer_id_filter, external_id_filter
from conversations.api.message_serializers import (
    EXAMPLE,
    TAG,
    WINDOW_CLOSED,
    DeliverySerializer,
    MessageDetailSerializer,
    MessageSerializer,
    RetriedMessageSerializer,
    get_message,
)
from conversations.models import Message
from conversations.retrying import MayHaveArrivedError, NotFailedError, TakenBackError
from conversations.service_window import WindowClosedError

_DELIVERY: dict[str, Any] = {
    "delivery_id": "dlv_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "attempt": 1,
    "part": 1,
    "state": "delivered",
    "error": "",
    "sending_at": "2026-11-24T12:03:01Z",
    "updated_at": "2026-11-24T12:03:02Z",
    "provider_message_id": "wamid.HBgLMTIwMjU1NTAxMjMVAgA",
}
_NOT_FAILED = ("not_failed", "The message has not failed, so there is nothing to retry.")
_MAY_HAVE_ARRIVED = (
    "may_have_arrived",
    "The customer may already have the message. Retry with `may_repeat: true` to send it anyway.",
)
_TAKEN_BACK = ("taken_back", "The customer deleted the message, so it is not answered.")
_TOO_FEW = (
    "insufficient_credits",
    (
        "The failed reply was refunded, and there are no credits left to send it again. Ask an operator "
        "for credits."
    ),
)


class MessageListQuery(PageQuery):
    """What the list of messages can be narrowed to."""

    conversation_id = serializers.CharField(
        required=False, max_length=50, help_text="Only this conversation."
    )
    phone_number_id = serializers.CharField(required=False, max_length=50, help_text="Only on this number.")
    customer_phone = serializers.CharField(
        required=False, max_length=150, help_text="Only with this customer, exactly as shown in responses."
    )
    customer_id = customer_id_filter()
    external_id = external_id_filter()
    sender = ChoiceField(
        required=False, choices=["user", "agent"], help_text="`user` = the customer, `agent` = the business."
    )
    author = ChoiceField(required=False, choices=["customer", "ai", "staff"], help_text="Who wrote it.")
    status = ChoiceField(
        required=False,
        choices=Message.Status.values,
        help_text="The state of the message. `failed` can be retried, and `unknown` with `may_repeat`.",
    )
    since = TimestampField(required=False, help_text="Written at or after this time.")
    until = TimestampField(required=False, help_text="Written before this time.")
    text = serializers.CharField(
        required=False,
        trim_whitespace=False,
        min_length=2,
        max_length=200,
        help_text="Contains these words, in upper or lower case.",
    )
    order = ChoiceField(
        choices=["newest", "oldest"], default="newest", help_text="Which messages come first."
    )


class MessagesView(TenantView):
    """The messages of a business."""

    @operation(
        summary="List messages",
        description="By the time they were said; those of one conversation by their place in it. "
        f"{SHORT_PAGES}",
        tag=TAG,
        operation_id="list_messages",
        query=MessageListQuery,
        responses={200: page_serializer(MessageSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        query = self.read_query(MessageListQuery)
        filters = {name: value for name, value in query.items() if name not in {"limit", "cursor", "order"}}
        rows = listing.messages(user_id=user_id, newest_first=query["order"] == "newest", **filters)
        return self.page(
            message_object.rows(rows.rows),
            query=query,
            order=rows.order,
            serializer=MessageSerializer,
            walked=rows.walked,
        )


class MessageView(TenantView):
    """One message."""

    @operation(
        summary="Get a message",
        description="Includes each attempt to send each of its parts.",
        tag=TAG,
        operation_id="get_message",
        responses={200: MessageDetailSerializer},
        response_example={**EXAMPLE, "deliveries": [_DELIVERY]},
    )
    def get(self, _request: Request, user_id: str, message_id: str) -> Response:
        """Answer it."""
        message = get_message(user_id, message_id)
        sent = message.deliveries.order_by("attempt", "part")
        data = {**MessageSerializer(message).data, "deliveries": DeliverySerializer(sent, many=True).data}
        return etags.tagged(data, version=_without_links(data))


def _without_links(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without the links to its files, which are signed anew for each answer."""
    media = [{**file, "url": None, "expires_at": None} for file in message["media"]]
    return {**message, "media": media}


class RetryInput(StrictSerializer):
    """How to retry."""

    may_repeat = FlagField(
        default=False,
        help_text="Also send parts whose outcome is `unknown`. The customer may then get them twice.",
    )


class RetryView(TenantView):
    """A message that failed is tried again."""

    @operation(
        summary="Retry a failed message",
        description="Answers a customer's message, or sends again the parts of a reply that did not "
        "arrive. A retry starts only once: while it is in progress, `started` is false. A "
        "reply that was refunded is charged again. A message whose status is `unknown` may "
        "have arrived, so it is sent again only with `may_repeat`.",
        tag=TAG,
        operation_id="retry_message",
        request=RetryInput,
        responses={202: RetriedMessageSerializer},
        errors={409: [_NOT_FAILED, _MAY_HAVE_ARRIVED, _TAKEN_BACK, WINDOW_CLOSED], 422: [_TOO_FEW]},
        request_example={},
        response_example={"started": True, **EXAMPLE, "status": "pending"},
    )
    def post(self, _request: Request, user_id: str, message_id: str) -> Response:
        """Try it again."""
        get_message(user_id, message_id)
        may_repeat = self.read_body(RetryInput)["may_repeat"]
        try:
            is_begun = retrying.retry(message_id=message_id, actor=self.caller.actor, may_repeat=may_repeat)
        except NotFailedError as error:
            raise conflict(*_NOT_FAILED) from error
        except MayHaveArrivedError as error:
            raise conflict(*_MAY_HAVE_ARRIVED) from error
        except TakenBackError as error:
            raise conflict(*_TAKEN_BACK) from error
        except WindowClosedError as error:
            raise conflict(*WINDOW_CLOSED) from error
        except InsufficientCreditsError as error:
            raise unprocessable(*_TOO_FEW) from error
        data = {"started": is_begun, **MessageSerializer(get_message(user_id, message_id)).data}
        return Response(data, status=HTTPStatus.ACCEPTED)
