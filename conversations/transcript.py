"""
Our transcript, which is the truth, in the form OpenAI takes.

OpenAI's conversation is a copy kept in step: what it lacks (what the customer wrote, a person's answers, a
fallback) is marked so and goes into the next request; what stands in it but was never said is taken out
before. A new copy lacks everything, so the first request carries the newest part of the transcript.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from config.lib import sql
from conversations import rendering
from conversations.holding import Turn
from conversations.models import Conversation, Message

# How much of an earlier talk goes into one request.
MOST_EARLIER = 20
_MOST_READ = 300
# What was written longer ago than this comes with its date.
_LATE = timedelta(minutes=10)

_ROLES = {Message.Sender.USER.value: "user", Message.Sender.AGENT.value: "assistant"}
Item = dict[str, Any]


@dataclass(slots=True)
class Copy:
    """How the copy stands: what it lacks, is owed and has too much. `messages` are what is to be answered."""

    conversation_id: str
    openai_conversation_id: str
    last_item_id: str
    owed: list[Item]
    surplus: list[str]
    is_paused: bool
    messages: list[Message] = field(default_factory=list)
    earlier: list[Message] = field(default_factory=list)
    reacted: list[Message] = field(default_factory=list)

    @property
    def lacking_ids(self) -> list[str]:
        """The messages that the next request brings into step."""
        return [message.pk for message in (*self.earlier, *self.messages, *self.reacted)]


def read(turn: Turn) -> Copy:
    """Look up how the copy of a turn's conversation stands."""
    rows = sql.rows(_COPY, [_MOST_READ, turn.conversation_id])
    copy = Copy(
        conversation_id=turn.conversation_id,
        openai_conversation_id=rows[0]["openai_conversation_id"] or "",
        last_item_id=rows[0]["openai_last_item_id"],
        owed=sql.loaded(rows[0]["openai_owed"]),
        surplus=sql.loaded(rows[0]["openai_surplus"]),
        is_paused=rows[0]["is_paused"],
    )
    for row in rows:
        if row["message_id"] is None:
            continue
        message = Message.from_db("default", _READ, [row[name] for name in _READ])
        message.media = sql.loaded(row["media"])
        if not message.reaction_known and message.reaction:
            copy.reacted.append(message)
        if message.turn_id == turn.turn_id:
            copy.messages.append(message)
        elif not message.openai_knows:
            copy.earlier.append(message)
    if not copy.messages and not copy.owed:
        own = Message.objects.filter(turn_id=turn.turn_id, author=Message.Author.CUSTOMER)
        copy.messages = list(own.order_by("sequence_no"))
    return copy


_WANTED = {
    *("message_id", "conversation_id", "turn_id", "sender", "kind", "text", "media", "context", "quoted_id"),
    *("provider_message_id", "timestamp", "openai_knows", "reaction", "reaction_known"),
}
_READ = [field.attname for field in Message._meta.concrete_fields if field.attname in _WANTED]  # noqa: SLF001

# A reply that did not arrive was not said.
_COPY = f"""
    SELECT copy.openai_conversation_id, openai_last_item_id, openai_owed, openai_surplus,
           COALESCE(customers.paused_until > statement_timestamp(), false) AS is_paused,
           {", ".join(f"lacking.{name}" for name in _READ)}
      FROM conversations AS copy
      JOIN customers USING (customer_id)
      LEFT JOIN LATERAL (
           SELECT * FROM messages
            WHERE messages.conversation_id = copy.conversation_id
              AND (NOT openai_knows OR NOT reaction_known)
              AND deleted_at IS NULL AND NOT (sender = 'agent' AND status = 'failed')
            ORDER BY sequence_no DESC
            LIMIT %s) AS lacking ON true
     WHERE copy.conversation_id = %s
     ORDER BY lacking.sequence_no
"""  # noqa: S608  (columns, all our own words)


def items(copy: Copy, *, now: datetime, timezone: str) -> list[Item]:
    """Give what the next request says: first what is owed, then what was said before, then the turn's own."""
    quoted = _texts_by_provider_id(copy.messages)
    reactions = [rendering.reaction(message) for message in copy.reacted]
    return [
        *copy.owed,
        *(_plain(message) for message in copy.earlier[-MOST_EARLIER:]),
        *([{"role": "user", "content": "\n".join(reactions)}] if reactions else []),
        *(
            {
                "role": "user",
                "content": rendering.content(
                    message, quoted=quoted.get(message.quoted_id), written=_date(message, now, timezone)
                ),
            }
            for message in copy.messages
        ),
    ]


def _plain(message: Message) -> Item:
    return {
        "type": "message",
        "role": _ROLES[message.sender],
        "content": message.text or f"[{message.kind}]",
    }


def _date(message: Message, now: datetime, timezone: str) -> str:
    """Say when a message was written if that is some time ago, as after an outage or a retry by hand."""
    if now - message.timestamp < _LATE:
        return ""
    return f"{message.timestamp.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def set_copy(copy: Copy, openai_conversation_id: str) -> None:
    """Note where the copy is kept from now on."""
    Conversation.objects.filter(pk=copy.conversation_id).update(openai_conversation_id=openai_conversation_id)
    copy.openai_conversation_id = openai_conversation_id


def clear_surplus(copy: Copy) -> None:
    """Note that what was never said stands in the copy no more."""
    # Only these: in the meantime there may be others.
    sql.execute(
        "UPDATE conversations SET openai_surplus = openai_surplus - %s::text[] WHERE conversation_id = %s",
        [copy.surplus, copy.conversation_id],
    )
    copy.surplus = []


@transaction.atomic
def forget(conversation_id: str) -> None:
    """
    Give up the copy of a conversation of ours, which is gone or in disorder.

    The next one starts empty and lacks the newest messages.
    """
    Conversation.objects.filter(pk=conversation_id).update(
        openai_conversation_id=None, openai_last_item_id="", openai_owed=[], openai_surplus=[]
    )
    newest = Message.objects.filter(conversation_id=conversation_id).order_by("-sequence_no")
    Message.objects.filter(pk__in=list(newest.values_list("pk", flat=True)[:MOST_EARLIER])).update(
        openai_knows=False, openai_item_ids=[]
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
