"""Ends a conversation by hand; what the customer says next opens a new one."""

from conversations.models import Conversation


def close(*, conversation_id: str) -> bool:
    """
    End a conversation and tell whether it ended now, and not before.

    A turn in flight ends in it. What waits in the inbox is in no conversation yet and goes into the next.

    :raises Conversation.DoesNotExist: if there is no such conversation
    """
    conversation = Conversation.objects.filter(pk=conversation_id)
    if conversation.filter(is_active=True).update(is_active=False, handover_at=None):
        return True
    if not conversation.exists():
        raise Conversation.DoesNotExist
    return False
