"""
OpenAI's copy of a conversation, which is kept in step with our transcript.

The transcript is the truth. What the copy lacks (what the customer wrote, a person's answers, a fallback) is
marked so and goes into the next request; what stands in it but was never said is taken out before. A new
copy lacks everything, so the first request carries the newest part of the transcript.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone as clock

from agents import prompts
from agents.prompts import Prompt
from channels_app.models import PhoneNumber
from config.lib import sql
from config.lib.errors import RejectedError
from conversations import pending_deletions, rendering
from conversations.answering.open_turn import OpenTurn
from conversations.input_budget import InputBudget
from conversations.models import Conversation, Message
from conversations.pending_deletions import Kind

# How much of an earlier conversation goes into one request.
MOST_EARLIER = 20
_MOST_READ = 300
# What was written longer ago than this comes with its date.
_LATE = timedelta(minutes=10)

_ROLES = {Message.Sender.USER.value: "user", Message.Sender.AGENT.value: "assistant"}
Item = dict[str, Any]


@dataclass(slots=True)
class Copy:
    """
    How the copy of a turn's conversation stands: what it lacks, is owed and has too much.

    `messages` are what is to be answered, `quoted` the texts of those they quote, by the channel's id. The
    `number` has what its channel is called with; `ig_id` is the customer's on Instagram.
    """

    conversation_id: str
    openai_conversation_id: str
    last_item_id: str
    owed: list[Item]
    surplus: list[str]
    is_paused: bool
    prompt: Prompt | RejectedError
    number: PhoneNumber
    ig_id: str
    messages: list[Message] = field(default_factory=list)
    earlier: list[Message] = field(default_factory=list)
    reacted: list[Message] = field(default_factory=list)
    quoted: dict[str, str] = field(default_factory=dict)

    @property
    def lacking_ids(self) -> list[str]:
        """The messages that the next request brings into step."""
        return [message.pk for message in (*self.earlier, *self.messages, *self.reacted)]

    @property
    def has_files(self) -> bool:
        """Whether files of messages must be fetched or read for the request."""
        return any(message.media for message in self.messages)


def read(turn: OpenTurn) -> Copy:
    """Read how the copy of a turn's conversation stands."""
    return read_all([turn])[0]


def read_all(turns: Sequence[OpenTurn]) -> list[Copy]:
    """Read how the copies of the turns' conversations stand, in the order of the turns."""
    if not turns:
        return []
    rows = sql.rows(
        _COPY_SQL,
        {
            "most": _MOST_READ,
            "conversations": [turn.conversation_id for turn in turns],
            "turns": [turn.turn_id for turn in turns],
        },
    )
    found = {place: list(own) for place, own in groupby(rows, itemgetter("place"))}
    return [_copy(turn, found[place]) for place, turn in enumerate(turns, start=1)]


def _copy(turn: OpenTurn, rows: list[dict[str, Any]]) -> Copy:
    copy = Copy(
        conversation_id=turn.conversation_id,
        openai_conversation_id=rows[0]["openai_conversation_id"] or "",
        last_item_id=rows[0]["openai_last_item_id"],
        owed=sql.from_jsonb(rows[0]["openai_owed"]),
        surplus=sql.from_jsonb(rows[0]["openai_surplus"]),
        is_paused=rows[0]["is_paused"],
        prompt=_prompt(turn),
        number=PhoneNumber(
            phone_number_id=turn.phone_number_id, **{name: rows[0][name] for name in _NUMBER_COLUMNS}
        ),
        ig_id=rows[0]["ig_id"] or "",
    )
    for row in rows:
        if row["message_id"] is None:
            continue
        message = Message.from_db("default", _READ, [row[name] for name in _READ])
        message.media = sql.from_jsonb(row["media"])
        if not message.reaction_known and message.reaction:
            copy.reacted.append(message)
        if message.turn_id == turn.turn_id:
            copy.messages.append(message)
        elif not message.openai_knows:
            copy.earlier.append(message)
    if not copy.messages and not copy.owed:
        own = Message.objects.filter(turn_id=turn.turn_id, author=Message.Author.CUSTOMER)
        copy.messages = list(own.order_by("sequence_no"))
    copy.quoted = _texts_by_provider_id(copy.messages)
    return copy


def _prompt(turn: OpenTurn) -> Prompt | RejectedError:
    try:
        return prompts.load(turn.settings.prompt_id, turn.settings.prompt_version)
    except RejectedError as error:
        return error


_WANTED = {
    *("message_id", "conversation_id", "turn_id", "sender", "kind", "text", "media", "context", "quoted_id"),
    *("provider_message_id", "timestamp", "openai_knows", "reaction", "reaction_known"),
}
_READ = [field.attname for field in Message._meta.concrete_fields if field.attname in _WANTED]  # noqa: SLF001

_NUMBER_COLUMNS = ("type", "access_token", "api_base_url", "sender_id")

# A reply that did not arrive was not said. A retried message of an ended conversation is answered here.
_COPY_SQL = f"""
    SELECT wanted.place, copy.openai_conversation_id, openai_last_item_id, openai_owed, openai_surplus,
           COALESCE(customers.paused_until > statement_timestamp(), false) AS is_paused,
           {", ".join(f"number.{name}" for name in _NUMBER_COLUMNS)}, customers.ig_id,
           {", ".join(f"lacking.{name}" for name in _READ)}
      FROM unnest(%(turns)s::varchar[], %(conversations)s::varchar[]) WITH ORDINALITY
               AS wanted (turn_id, conversation_id, place)
      JOIN turns ON turns.turn_id = wanted.turn_id
      JOIN phone_numbers AS number ON number.phone_number_id = turns.phone_number_id
      JOIN conversations AS copy ON copy.conversation_id = wanted.conversation_id
      JOIN customers ON customers.customer_id = copy.customer_id
      LEFT JOIN LATERAL (
           (SELECT * FROM messages
             WHERE messages.conversation_id = copy.conversation_id
               AND (NOT openai_knows OR NOT reaction_known)
               AND deleted_at IS NULL AND NOT (sender = 'agent' AND status = 'failed')
             ORDER BY sequence_no DESC
             LIMIT %(most)s)
           UNION ALL
           (SELECT * FROM messages
             WHERE messages.turn_id = wanted.turn_id AND messages.conversation_id <> copy.conversation_id
               AND NOT openai_knows AND deleted_at IS NULL)) AS lacking ON true
     ORDER BY wanted.place, lacking.conversation_id = copy.conversation_id, lacking.sequence_no
"""  # noqa: S608  (columns, all our own words)


def items(copy: Copy, now: datetime, timezone: str) -> list[Item]:
    """
    Return the input of the next request: what is owed, the earlier messages, the reactions, the turn's own.

    The newest messages are shown whole; the older ones as far as the budget of a request goes.
    """
    reactions = [rendering.reaction(message) for message in copy.reacted]
    budget = InputBudget()
    own = [
        {
            "role": "user",
            "content": rendering.content(
                message,
                quoted=copy.quoted.get(message.quoted_id),
                budget=budget,
                written=_date(message, now, timezone),
            ),
        }
        for message in reversed(copy.messages)
    ]
    earlier = [_plain(message, budget) for message in reversed(copy.earlier[-MOST_EARLIER:])]
    return [
        *copy.owed,
        *reversed(earlier),
        *([{"role": "user", "content": "\n".join(reactions)}] if reactions else []),
        *reversed(own),
    ]


def _plain(message: Message, budget: InputBudget) -> Item:
    """Return an earlier message, its text as the type of its role: not every server derives that."""
    text = budget.fitted(message.text or f"[{message.kind}]")
    is_customers = message.sender == Message.Sender.USER
    return {
        "type": "message",
        "role": _ROLES[message.sender],
        "content": text if is_customers else [{"type": "output_text", "text": text}],
    }


def _date(message: Message, now: datetime, timezone: str) -> str:
    """Return when a message was written if that is some time ago, as after an outage or a retry by hand."""
    if now - message.timestamp < _LATE:
        return ""
    return f"{message.timestamp.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def set_openai_conversations(changes: Sequence[tuple[str, str]]) -> list[None]:
    """
    Store where the copies of conversations are kept: pairs of a conversation's id and OpenAI's.

    A copy of a conversation that was erased meanwhile is deleted.
    """
    stored = sql.rows(
        """
        UPDATE conversations SET openai_conversation_id = opened.openai_id
          FROM unnest(%s::varchar[], %s::varchar[]) AS opened (conversation_id, openai_id)
         WHERE conversations.conversation_id = opened.conversation_id
        RETURNING opened.openai_id
        """,
        [[ours for ours, _ in changes], [openais for _, openais in changes]],
    )
    kept = {row["openai_id"] for row in stored}
    orphans = [openais for _, openais in changes if openais not in kept]
    # The turn that opened it may still be asking.
    due_at = clock.now() + timedelta(milliseconds=settings.TURN_DEADLINE)
    pending_deletions.add(Kind.OPENAI_CONVERSATION, orphans, due_at=due_at)
    return [None] * len(changes)


def clear_surplus(copy: Copy) -> None:
    """Store that what was never said stands in the copy no more."""
    # Only these: in the meantime there may be others.
    sql.execute(
        "UPDATE conversations SET openai_surplus = openai_surplus - %s::text[] WHERE conversation_id = %s",
        [copy.surplus, copy.conversation_id],
    )
    copy.surplus = []


@transaction.atomic
def forget(conversation_id: str, turn_id: str = "") -> None:
    """
    Abandon the copy of a conversation, which is gone or in disorder.

    The next copy starts empty and lacks the newest messages, and all messages of the turn if one is given.
    The abandoned one is deleted at OpenAI.
    """
    abandoned = Conversation.objects.filter(pk=conversation_id).values_list(
        "openai_conversation_id", flat=True
    )
    pending_deletions.add(Kind.OPENAI_CONVERSATION, [name for name in abandoned if name])
    Conversation.objects.filter(pk=conversation_id).update(
        openai_conversation_id=None, openai_last_item_id="", openai_owed=[], openai_surplus=[]
    )
    messages = Message.objects.filter(conversation_id=conversation_id)
    newest = messages.order_by("-sequence_no").values_list("pk", flat=True)[:MOST_EARLIER]
    lacking = Q(pk__in=list(newest))
    if turn_id:
        lacking |= Q(turn_id=turn_id)
    messages.filter(lacking).update(openai_knows=False, openai_item_ids=[])


def _texts_by_provider_id(messages: list[Message]) -> dict[str, str]:
    """Return the texts of quoted messages, the customer's own and ours."""
    wanted = {message.quoted_id for message in messages if message.quoted_id}
    if not wanted:
        return {}
    said = Message.objects.filter(conversation_id__in={message.conversation_id for message in messages})
    own = said.filter(provider_message_id__in=wanted).values_list("provider_message_id", "text")
    ours = said.filter(deliveries__provider_message_id__in=wanted).values_list(
        "deliveries__provider_message_id", "text"
    )
    return {str(provider_id): text for provider_id, text in (*own, *ours)}
