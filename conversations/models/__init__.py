"""What was said: conversations, their messages, the turns that answer and the deliveries that send."""

from conversations.models.conversation import Conversation
from conversations.models.delivery import Delivery
from conversations.models.message import Message
from conversations.models.pending_deletion import PendingDeletion
from conversations.models.turn import Turn

__all__ = ["Conversation", "Delivery", "Message", "PendingDeletion", "Turn"]
