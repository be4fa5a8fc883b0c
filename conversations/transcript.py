"""Our transcript, which is the truth, in the form OpenAI takes."""

from conversations.models import Message

# What conversations.create takes at once.
MOST_ITEMS = 20


def recent_items(*, conversation_id: str, before_turn: str) -> list[dict[str, str]]:
    """Give the newest messages that reached the other side, oldest first, without those of one turn."""
    newest = (
        Message.objects.filter(conversation_id=conversation_id)
        .exclude(turn_id=before_turn)
        .exclude(sender=Message.Sender.AGENT, status=Message.Status.FAILED)
        .order_by("-sequence_no")
        .values_list("sender", "text")[:MOST_ITEMS]
    )
    roles = {Message.Sender.USER.value: "user", Message.Sender.AGENT.value: "assistant"}
    return [{"type": "message", "role": roles[sender], "content": text} for sender, text in reversed(newest)]
