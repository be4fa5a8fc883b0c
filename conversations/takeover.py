"""
Who answers: the AI, or a person who took over. While a conversation is paused the AI is silent.

The pause stands on the customer, so that it holds for whatever conversation they have on the number.
"""

from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction

from billing import events
from channels_app import customer_object
from channels_app.webchat import pubsub
from config.lib import sql
from conversations.models import Conversation

log = structlog.get_logger(__name__)


def pause(*, customer_id: str, reason: str, until: datetime | None = None) -> None:
    """Keep the AI from answering a customer, until then or for at least TAKEOVER_PAUSE from now on."""
    log.warning("customer.paused", customer_id=customer_id, reason=reason)
    row = sql.row(
        """
        UPDATE customers
           SET paused_until = COALESCE(
                   %(until)s,
                   GREATEST(paused_until, statement_timestamp() + make_interval(secs => %(seconds)s))),
               pause_reason = %(reason)s
         WHERE customer_id = %(customer)s
        RETURNING visitor_id
        """,
        {
            "customer": customer_id,
            "reason": reason[:50],
            "seconds": settings.TAKEOVER_PAUSE / 1000,
            "until": until,
        },
    )
    if row and row["visitor_id"]:
        pubsub.publish(customer_id)


def pause_conversation(
    *, conversation_id: str, reason: str = "paused", until: datetime | None = None
) -> None:
    """
    Take a conversation over from the AI. A reply in the making is not sent any more.

    :raises Conversation.DoesNotExist: if there is none
    """
    conversation = Conversation.objects.get(pk=conversation_id)
    with transaction.atomic():
        pause(customer_id=conversation.customer_id, reason=reason, until=until)
        _unflag(conversation_id)


def resume_conversation(*, conversation_id: str) -> None:
    """
    Resume the AI. Messages from the pause are context for its next reply, and get none themselves.

    :raises Conversation.DoesNotExist: if there is none
    """
    conversation = Conversation.objects.get(pk=conversation_id)
    with transaction.atomic():
        sql.execute(
            "UPDATE customers SET paused_until = NULL, pause_reason = '' WHERE customer_id = %s",
            [conversation.customer_id],
        )
        _unflag(conversation_id)
        if conversation.customer.visitor_id:
            pubsub.publish(conversation.customer_id)


def _unflag(conversation_id: str) -> None:
    Conversation.objects.filter(pk=conversation_id).update(handover_at=None)


def hand_over(*, customer_id: str, conversation_id: str, user_id: str, reason: str) -> None:
    """Pause and flag a conversation because the model asked for a person, and tell the business."""
    pause(customer_id=customer_id, reason="the model asked for a person")
    sql.execute(
        """
        UPDATE conversations SET handover_at = statement_timestamp(), handover_reason = %s
         WHERE conversation_id = %s
        """,
        [reason[:500], conversation_id],
    )
    events.record(
        user_id=user_id,
        type=events.EventType.CONVERSATION_HANDOVER,
        data={
            "conversation_id": conversation_id,
            "reason": reason[:500],
            "customer": customer_object.find([customer_id])[customer_id],
        },
        conversation_id=conversation_id,
    )
