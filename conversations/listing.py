"""
Lists of conversations and messages, each found by an index, so that every page takes as long as the first.

Where no index finds what is asked for, `walked` are the rows to be looked through: a page at a time, of which
`config.lib.api.pagination.page` looks at a bounded number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from django.db.models import Model, QuerySet, TextField, Value
from django.db.models.functions import Concat

from agents.models import Agent
from channels_app.models import PhoneNumber
from config.lib import tenancy
from conversations import customers
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


_CONVERSATION_FILTERS = {"customer_phone": "customer_phone"}
_WALKED_CONVERSATION_FILTERS = {
    "phone_number_id": "customer__phone_number_id",
    "is_active": "is_active",
    "paused": "is_paused",
    "since": "last_message_at__gte",
    "until": "last_message_at__lt",
}
_OF_CUSTOMERS = ("customer_id", "external_id")
_OF_ONE = {"conversation_id": "pk", "customer_phone": "customer_phone"}
_OF_NUMBER = {"phone_number_id": "phone_number_id"}
_OF_TIME = {"since": "timestamp__gte", "until": "timestamp__lt"}
_OF_MESSAGES = {"sender": "sender", "author": "author", "status": "status"}
_INDEXED_STATUSES = {Message.Status.FAILED: "failed_at", Message.Status.UNKNOWN: "unknown_at"}


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """Rows, the columns that order them, and what has to be looked through for them, if anything."""

    rows: QuerySet[Row]
    order: tuple[str, ...]
    walked: QuerySet[Row] | None = None


class ConversationFilters(TypedDict, total=False):
    """What a list of conversations can be narrowed to."""

    agent_id: str
    phone_number_id: str
    customer_phone: str
    customer_id: str
    external_id: str
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
    customer_id: str
    external_id: str
    sender: str
    author: str
    status: str
    text: str
    since: datetime
    until: datetime


def conversations(*, user_id: str, **filters: Unpack[ConversationFilters]) -> Listing[Conversation]:
    """
    List a business's conversations, newest first; `since` and `until` (not included) are of the last message.

    :raises TenantMissingError: if `user_id` is empty
    """
    scope = _conversations(user_id, filters).filter(**_requested(filters, _CONVERSATION_FILTERS))
    narrow = _requested(filters, _WALKED_CONVERSATION_FILTERS)
    if filters.get("handover"):
        scope = scope.filter(handover_at__isnull=False)
    elif "handover" in filters:
        narrow["handover_at__isnull"] = True
    order = ("-conversation_id",)
    return Listing(scope.with_pause().filter(**narrow), order, scope if narrow else None)


def _conversations(user_id: str, filters: ConversationFilters) -> ConversationQuerySet:
    """Return the conversations of the business, or of some of its customers, or of one of its agents."""
    if (people := customers_of(user_id, filters)) is not None:
        of_agent = {"agent_id": filters["agent_id"]} if "agent_id" in filters else {}
        return Conversation.objects.filter(customer__in=people, **of_agent)
    if "agent_id" not in filters:
        return Conversation.objects.of(user_id)
    is_theirs = Agent.objects.of(user_id).filter(pk=filters["agent_id"]).exists()
    return (
        # The agent may have answered on other numbers before.
        Conversation.objects.filter(
            tenancy.permitted("customer__phone_number_id"), agent_id=filters["agent_id"]
        )
        if is_theirs
        else Conversation.objects.none()
    )


def customers_of(user_id: str, filters: Mapping[str, Any]) -> list[str] | None:
    """Return the ids of the business's customers that a list is filtered by; None = by none."""
    requested = {name: filters[name] for name in _OF_CUSTOMERS if name in filters}
    return customers.find(user_id=user_id, **requested) if requested else None


def messages(
    *, user_id: str, newest_first: bool = True, **filters: Unpack[MessageFilters]
) -> Listing[Message]:
    """
    List a business's messages by their time, those of one conversation by their place in it.

    `until` is not included. A `text` is looked for in upper and lower case.

    :raises TenantMissingError: if `user_id` is empty
    """
    if filters.keys() & {*_OF_ONE, *_OF_CUSTOMERS}:
        return _by_customer(user_id, filters, newest_first=newest_first)
    order = _NEWEST if newest_first else _OLDEST
    narrow = _requested(filters, _OF_MESSAGES)
    if (since := _INDEXED_STATUSES.get(narrow.get("status", ""))) is not None:
        # These have an index of their own. The status says the same once more, and Postgres, taking that for
        # another filter, would expect far fewer and sort them.
        del narrow["status"]
        rows = Message.objects.of(user_id).filter(**{f"{since}__isnull": False})
        rows = rows.filter(**narrow, **_requested(filters, _OF_TIME, _OF_NUMBER))
        return Listing(_saying(rows, filters), order)
    scope = _scope(user_id, filters).filter(**_requested(filters, _OF_TIME))
    if "text" in filters and (rare := _saying_rarely(scope, filters["text"])) is not None:
        return Listing(Message.objects.filter(pk__in=rare, **narrow), order)
    is_walked = narrow or "text" in filters
    return Listing(_saying(scope.filter(**narrow), filters), order, scope if is_walked else None)


def _scope(user_id: str, filters: MessageFilters) -> MessageQuerySet:
    """Return the messages of a business, or of one number: the filter's, or the only permitted one."""
    permitted = tenancy.permitted_numbers() or ()
    number = filters.get("phone_number_id", permitted[0] if len(permitted) == 1 else None)
    if number is None:
        return Message.objects.of(user_id)
    is_theirs = PhoneNumber.objects.of(user_id).filter(pk=number).exists()
    return Message.objects.filter(phone_number_id=number) if is_theirs else Message.objects.none()


def _by_customer(user_id: str, filters: MessageFilters, *, newest_first: bool) -> Listing[Message]:
    """List the messages of some customers, or of one conversation."""
    conversations = Conversation.objects.of(user_id).filter(**_requested(filters, _OF_ONE))
    if (people := customers_of(user_id, filters)) is not None:
        conversations = conversations.filter(customer__in=people)
    scope = Message.objects.filter(conversation_id__in=list(conversations.values_list("pk", flat=True)))
    narrow = _requested(filters, _OF_TIME, _OF_NUMBER, _OF_MESSAGES)
    rows = _saying(scope.filter(**narrow), filters)
    if "conversation_id" not in filters:
        return Listing(rows, _NEWEST if newest_first else _OLDEST)
    order = ("-sequence_no",) if newest_first else ("sequence_no",)
    return Listing(rows, order, scope if narrow or "text" in filters else None)


def _saying(rows: MessageQuerySet, filters: MessageFilters) -> MessageQuerySet:
    """Keep what has the words in it, read row by row: the index of words would gather all that have them."""
    if "text" not in filters:
        return rows
    return rows.alias(said=Concat("text", Value(""), output_field=TextField())).filter(
        said__icontains=filters["text"]
    )


def _saying_rarely(scope: MessageQuerySet, words: str) -> list[str] | None:
    """Return the ids of messages with these words, if Postgres expects the index of words to find few."""
    if len(words) < _LETTERS:
        return None
    message_ids = scope.saying(words).order_by().values_list("pk", flat=True)
    plan = message_ids.explain(format="json")
    if _INDEX_OF_WORDS not in plan or json.loads(plan)[0]["Plan"]["Plan Rows"] > MOST_SORTED:
        return None
    known = list(message_ids[: MOST_SORTED + 1])
    return known if len(known) <= MOST_SORTED else None


def _requested(filters: Any, *columns: dict[str, str]) -> dict[str, Any]:
    """Return the requested filters among `columns`."""
    return {lookup: filters[name] for each in columns for name, lookup in each.items() if name in filters}
