"""
Our transcript, which is the truth, in the form OpenAI takes.

OpenAI's conversation is a copy. What it lacks (a person's answers, a fallback, what could not be answered) is
marked so and goes in front of the next turn's input.
"""

from typing import Any

from django.db.models import QuerySet

from conversations import rendering
from conversations.models import Message

# What conversations.create takes at once.
MOST_ITEMS = 20

_ROLES = {Message.Sender.USER.value: "user", Message.Sender.AGENT.value: "assistant"}
Item = dict[str, Any]


def recent(*, conversation_id: str, before_turn: str) -> list[Message]:
    """Find the newest messages that reached the other side, oldest first, without those of one turn."""
    newest = _said(conversation_id, before_turn).order_by("-sequence_no")[:MOST_ITEMS]
    return list(reversed(newest))


def missing(*, conversation_id: str, before_turn: str) -> list[Message]:
    """Find the newest messages that OpenAI's copy lacks, oldest first, without those of one turn."""
    newest = _said(conversation_id, before_turn).filter(openai_knows=False).order_by("-sequence_no")
    return list(reversed(newest[:MOST_ITEMS]))


def mark_known(messages: list[Message]) -> None:
    """Note that these messages stand in OpenAI's copy by now."""
    if messages:
        Message.objects.filter(pk__in=[message.pk for message in messages]).update(openai_knows=True)


def items(messages: list[Message]) -> list[Item]:
    """Give messages as items of a conversation, in words."""
    return [
        {
            "type": "message",
            "role": _ROLES[message.sender],
            "content": message.text or f"[{message.kind}]",
        }
        for message in messages
    ]


def turn_items(messages: list[Message]) -> list[Item]:
    """Give what the customer wrote in a turn, each message with all the model can use of it."""
    if not messages:
        return []
    quoted = _texts_by_provider_id(messages)
    written: list[Item] = [
        {"role": "user", "content": rendering.content(message, quoted=quoted.get(message.quoted_id))}
        for message in messages
    ]
    reactions = [rendering.reaction(reacted) for reacted in _new_reactions(messages[0])]
    return [{"role": "user", "content": "\n".join(reactions)}, *written] if reactions else written


def _said(conversation_id: str, before_turn: str) -> QuerySet[Message]:
    return (
        Message.objects.filter(conversation_id=conversation_id, deleted_at=None)
        .exclude(turn_id=before_turn)
        .exclude(sender=Message.Sender.AGENT, status=Message.Status.FAILED)
    )


def _texts_by_provider_id(messages: list[Message]) -> dict[str, str]:
    """Find the texts of quoted messages, the customer's own and ours."""
    wanted = {message.quoted_id for message in messages if message.quoted_id}
    if not wanted:
        return {}
    said = Message.objects.filter(conversation_id=messages[0].conversation_id)
    own = said.filter(provider_message_id__in=wanted).values_list("provider_message_id", "text")
    ours = said.filter(deliveries__provider_message_id__in=wanted).values_list(
        "deliveries__provider_message_id", "text"
    )
    return {str(provider_id): text for provider_id, text in (*own, *ours)}


def _new_reactions(first: Message) -> QuerySet[Message]:
    """Find what the customer reacted to since the last time they were answered."""
    reacted = Message.objects.filter(conversation_id=first.conversation_id).exclude(reaction="")
    last = (
        Message.objects.filter(conversation_id=first.conversation_id, author=Message.Author.AI)
        .order_by("-sequence_no")
        .values_list("turn__created_at", flat=True)
        .first()
    )
    return reacted.filter(reacted_at__gt=last) if last else reacted
