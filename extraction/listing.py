"""
Lists of readings and leads, each found by an index, so that every page takes as long as the first.

Where no index finds what is asked for, `walked` are the rows to be looked through, as in
`conversations.listing`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypedDict, Unpack

from agents.models import Agent
from channels_app.models import PhoneNumber
from config.lib import sql
from conversations.listing import Listing, customers_of
from conversations.models import Conversation
from extraction.models import Extraction, ExtractionQuerySet

# How many rows are looked at by one statement where all of a list are read.
PAGE = 500
_NEWEST = ("-extraction_id",)
_WALKED = {
    "agent_id": "conversation__agent_id",
    "phone_number_id": "conversation__customer__phone_number_id",
    "status": "status",
    "min_urgency": "urgency__gte",
    "min_budget": "budget__gte",
    "min_fit": "fit__gte",
    "min_engagement": "engagement__gte",
    "since": "extracted_at__gte",
    "until": "extracted_at__lt",
}
_PRESENT = {"has_email": "email", "has_phone": "phone", "has_demo": "demo_datetime"}


class ExtractionFilters(TypedDict, total=False):
    """What a list of readings can be narrowed to."""

    conversation_id: str
    agent_id: str
    phone_number_id: str
    customer_id: str
    external_id: str
    status: str
    min_urgency: int
    min_budget: int
    min_fit: int
    min_engagement: int
    has_email: bool
    has_phone: bool
    has_demo: bool
    since: datetime
    until: datetime


def extractions(
    *, user_id: str, history: bool = False, **filters: Unpack[ExtractionFilters]
) -> Listing[Extraction]:
    """
    List a business's leads, newest first; with `history` every reading, whatever became of it.

    `until` is not included.

    :raises TenantMissingError: if `user_id` is empty
    """
    scope = _scope(user_id, filters)
    if not history:
        scope = scope.current()
    narrow: dict[str, Any] = {
        lookup: value for name, value in filters.items() if (lookup := _WALKED.get(name)) is not None
    }
    narrow |= {
        f"{column}__isnull": not filters[name]  # type: ignore[literal-required]
        for name, column in _PRESENT.items()
        if name in filters
    }
    return Listing(with_conversation(scope.filter(**narrow)), _NEWEST, scope if narrow else None)


def _scope(user_id: str, filters: ExtractionFilters) -> ExtractionQuerySet:
    """Return the readings of the business, or of what it asks for; none of what is not theirs."""
    theirs = Extraction.objects.of(user_id)
    named = (
        (Conversation.objects.of(user_id), filters.get("conversation_id")),
        (Agent.objects.of(user_id), filters.get("agent_id")),
        (PhoneNumber.objects.of(user_id), filters.get("phone_number_id")),
    )
    if not all(rows.filter(pk=key).exists() for rows, key in named if key is not None):
        return theirs.none()
    if (people := customers_of(user_id, filters)) is not None:
        conversations = Conversation.objects.of(user_id).filter(customer__in=people)
        if "conversation_id" in filters:
            conversations = conversations.filter(pk=filters["conversation_id"])
        return Extraction.objects.filter(conversation__in=list(conversations.values_list("pk", flat=True)))
    if "conversation_id" in filters:
        # Known to be theirs: to name the business as well might have Postgres look through all it has.
        return Extraction.objects.filter(conversation_id=filters["conversation_id"])
    return theirs


def with_conversation(rows: ExtractionQuerySet) -> ExtractionQuerySet:
    """Read along what is shown of a reading's conversation."""
    unseen = ("conversation__openai_owed", "conversation__openai_surplus")
    return rows.select_related("conversation__customer__phone_number").defer(*unseen)


def pages(listing: Listing[Extraction]) -> Iterator[list[Extraction]]:
    """
    Read all of a list, PAGE rows looked at at a time, so that no statement is long and memory stays flat.

    No connection is held between two pages.
    """
    scope = listing.rows if listing.walked is None else listing.walked
    following = scope.order_by(*listing.order).select_related(None).values_list("pk", flat=True)
    last = None
    while True:
        keys = list((following if last is None else following.filter(pk__lt=last))[:PAGE])
        if not keys:
            return
        last = keys[-1]
        page = list(listing.rows.filter(pk__lte=keys[0], pk__gte=last).order_by(*listing.order))
        sql.release_connection()
        yield page
