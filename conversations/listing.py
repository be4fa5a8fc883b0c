"""
Lists of conversations and messages, each found by an index, so that every page takes as long as the first.

Where no index finds what is asked for, `walked` are the rows to be looked through: a page at a time, of which
`config.lib.api.pagination.page` looks at a bounded number.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from django.db.models import Model, QuerySet, TextField, Value
from django.db.models.functions import Concat

from agents.models import Agent
from channels_app.models import PhoneNumber
from conversations.models import Conversation, Message
from conversations.models.conversation import ConversationQuerySet
from conversations.models.message import MessageQuerySet

Row = TypeVar("Row", bound=Model)

# Messages with some words are sorted if they are as many as this or fewer, else looked for page by page.
MOST_SORTED = 2_000
# What the index of words is made of.
_LETTERS = 3
_INDEX_OF_WORDS = "messages_by_words"
# What is an agent's, a number's or a conversation's is looked for without naming the business, once it is
# known to be theirs: else Postgres might look through all that they have, which also comes in the order
# wanted, in the wrong belief that such rows stand everywhere among the others.
_NEWEST = ("-timestamp", "-message_id")
_OLDEST = ("timestamp", "message_id")


_OF_TALKS = {"customer_phone": "customer_phone"}
_OF_TALKS_WALKED = {
    "phone_number_id": "customer__phone_number_id",
    "is_active": "is_active",
    "paused": "is_paused",
    "since": "last_message_at__gte",
    "until": "last_message_at__lt",
}
_OF_ONE = {"conversation_id": "pk", "customer_phone": "customer_phone"}
_OF_NUMBER = {"phone_number_id": "phone_number_id"}
_OF_TIME = {"since": "timestamp__gte", "until": "timestamp__lt"}
_OF_MESSAGES = {"sender": "sender", "author": "author", "status": "status"}


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """Rows, the columns that order them, and what has to be looked through for them, if anything."""

    rows: QuerySet[Row]
    order: tuple[str, ...]
    walked: QuerySet[Row] | None = None


class TalkFilters(TypedDict, total=False):
    """What a list of conversations can be narrowed to."""

    agent_id: str
    phone_number_id: str
    customer_phone: str
    is_active: bool
    paused: bool
    handover: bool
    since: datetime
    until: datetime


class MessageFilters(TypedDict, total=False):
    """What a list of messages can be narrowed to."""

    conversation_id: str
    phone_number_id: str
    customer_phone: str
    sender: str
    author: str
    status: str
    text: str
    since: datetime
    until: datetime


def conversations(*, user_id: str, **asked: Unpack[TalkFilters]) -> Listing[Conversation]:
    """
    List a business's conversations, newest first; `since` and `until` (not included) are of the last message.

    :raises TenantMissingError: if `user_id` is empty
    """
    scope = _talks(user_id, asked).filter(**_given(asked, _OF_TALKS))
    narrow = _given(asked, _OF_TALKS_WALKED)
    if asked.get("handover"):
        scope = scope.filter(handover_at__isnull=False)
    elif "handover" in asked:
        narrow["handover_at__isnull"] = True
    order = ("-conversation_id",)
    return Listing(scope.with_pause().filter(**narrow), order, scope if narrow else None)


def _talks(user_id: str, asked: TalkFilters) -> ConversationQuerySet:
    """Give the conversations of the business, or of one of its agents."""
    if "agent_id" not in asked:
        return Conversation.objects.of(user_id)
    is_theirs = Agent.objects.of(user_id).filter(pk=asked["agent_id"]).exists()
    return (
        Conversation.objects.filter(agent_id=asked["agent_id"]) if is_theirs else Conversation.objects.none()
    )


def messages(*, user_id: str, newest_first: bool = True, **asked: Unpack[MessageFilters]) -> Listing[Message]:
    """
    List a business's messages by their time, those of one conversation by their place in it.

    `until` is not included. A `text` is looked for in upper and lower case.

    :raises TenantMissingError: if `user_id` is empty
    """
    if "conversation_id" in asked or "customer_phone" in asked:
        return _said_by_one(user_id, asked, newest_first=newest_first)
    order = _NEWEST if newest_first else _OLDEST
    narrow = _given(asked, _OF_MESSAGES)
    if narrow.get("status") == Message.Status.FAILED:
        # What failed has an index of its own. The status says the same once more, and Postgres, taking that
        # for another filter, would expect far fewer and sort them.
        del narrow["status"]
        failed = Message.objects.of(user_id).filter(failed_at__isnull=False)
        rows = failed.filter(**narrow, **_given(asked, _OF_TIME, _OF_NUMBER))
        return Listing(_saying(rows, asked), order)
    scope = _scope(user_id, asked).filter(**_given(asked, _OF_TIME))
    if "text" in asked and (rare := _saying_rarely(scope, asked["text"])) is not None:
        return Listing(Message.objects.filter(pk__in=rare, **narrow), order)
    is_walked = narrow or "text" in asked
    return Listing(_saying(scope.filter(**narrow), asked), order, scope if is_walked else None)


def _scope(user_id: str, asked: MessageFilters) -> MessageQuerySet:
    """Give the messages of the business, or of one of its numbers."""
    if "phone_number_id" not in asked:
        return Message.objects.of(user_id)
    numbers = PhoneNumber.objects.of(user_id).filter(pk=asked["phone_number_id"])
    return Message.objects.filter(**_given(asked, _OF_NUMBER)) if numbers.exists() else Message.objects.none()


def _said_by_one(user_id: str, asked: MessageFilters, *, newest_first: bool) -> Listing[Message]:
    """List a customer's messages, or those of one conversation."""
    talks = Conversation.objects.of(user_id).filter(**_given(asked, _OF_ONE))
    scope = Message.objects.filter(conversation_id__in=list(talks.values_list("pk", flat=True)))
    narrow = _given(asked, _OF_TIME, _OF_NUMBER, _OF_MESSAGES)
    rows = _saying(scope.filter(**narrow), asked)
    if "conversation_id" not in asked:
        return Listing(rows, _NEWEST if newest_first else _OLDEST)
    order = ("-sequence_no",) if newest_first else ("sequence_no",)
    return Listing(rows, order, scope if narrow or "text" in asked else None)


def _saying(rows: MessageQuerySet, asked: MessageFilters) -> MessageQuerySet:
    """Keep what has the words in it, read row by row: the index of words would gather all that have them."""
    if "text" not in asked:
        return rows
    return rows.alias(said=Concat("text", Value(""), output_field=TextField())).filter(
        said__icontains=asked["text"]
    )


def _saying_rarely(scope: MessageQuerySet, words: str) -> list[str] | None:
    """Give the ids of messages with these words, if Postgres expects the index of words to find few."""
    if len(words) < _LETTERS:
        return None
    found = scope.saying(words).order_by().values_list("pk", flat=True)
    plan = found.explain(format="json")
    if _INDEX_OF_WORDS not in plan or json.loads(plan)[0]["Plan"]["Plan Rows"] > MOST_SORTED:
        return None
    known = list(found[: MOST_SORTED + 1])
    return known if len(known) <= MOST_SORTED else None


def _given(asked: Any, *columns: dict[str, str]) -> dict[str, Any]:
    """Give the filters among `columns` that are asked for."""
    return {lookup: asked[name] for each in columns for name, lookup in each.items() if name in asked}
