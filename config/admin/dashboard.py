"""
The dashboard: what came in, what failed, what waits and who waits for a person.

Each figure is one read of an index, given two seconds; one that needs longer is left out. Hours that are over
are counted once and kept in Redis; without Redis they are counted anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.contrib.admin.utils import quote
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from psycopg.errors import QueryCanceled

from agents import model_endings, unanswered
from config.lib import cache, ids, sql

T = TypeVar("T")

log = structlog.get_logger(__name__)

HOURS = 24
# Rows a figure counts at most; more is shown as "more than".
MOST = 100_000
_PATIENCE = "2s"


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures to what the first page is drawn from, as far as who is signed in may see them."""
    if not request.user.has_perm("conversations.view_conversation"):
        return context
    now = timezone.now()
    return context | {
        "figures": _cards(now, sees_money=request.user.has_perm("billing.view_credit")),
        "hours": _bars(now),
        "failures": _patiently(lambda: _failures(now)),
        "waiting_for_people": _patiently(_handovers),
        "unknown_messages": _patiently(_unknown),
        "ending_models": _patiently(model_endings.ending),
        "unanswered_numbers": _patiently(_unanswered),
    }


def _cards(now: datetime, *, sees_money: bool) -> list[dict[str, Any]]:
    waiting = _patiently(lambda: sql.row(_WAITING, {"most": MOST})) or {}
    oldest = waiting.get("oldest")
    cards = [
        _card(
            "Waiting messages",
            waiting.get("waiting"),
            f"the oldest since {_span(now - oldest)}" if oldest else "nothing waits",
            reverse("admin:channels_app_inboundmessage_changelist") + "?status__exact=pending",
        ),
        _card("Open turns", _patiently(lambda: _count(_OPEN_TURNS)), "being answered right now"),
        _card("Paused customers", _patiently(lambda: _count(_PAUSED)), "the AI does not answer them"),
        _card(
            "Asked for a person",
            _patiently(lambda: _count(_HANDED_OVER)),
            "the AI asked for a person; nobody has taken over yet",
            reverse("admin:conversations_conversation_changelist") + "?handover=waiting",
        ),
        _card(
            "Unknown outcome",
            _patiently(lambda: _count(_UNKNOWN)),
            "messages that may or may not have arrived",
            reverse("admin:conversations_message_changelist") + "?status__exact=unknown",
        ),
    ]
    if sees_money:
        cards.append(
            _card(
                "Out of credits",
                _patiently(lambda: _count(_EXHAUSTED, price=settings.CREDITS_PER_REPLY)),
                "businesses without enough credits for a reply",
                reverse("admin:billing_credit_changelist") + "?state=exhausted",
            )
        )
    return cards


def _card(title: str, figure: int | None, note: str, link: str = "") -> dict[str, Any]:
    text = f"more than {MOST:,}" if (figure or 0) > MOST else f"{figure or 0:,}"
    return {"title": title, "figure": "-" if figure is None else text, "note": note, "link": link}


def _bars(now: datetime) -> list[dict[str, Any]]:
    this = now.replace(minute=0, second=0, microsecond=0)
    hours = [this - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    counts = [_in_hour(hour, is_over=hour < this) for hour in hours]
    most = max((count or 0 for count in counts), default=0) or 1
    return [
        {
            "at": hour,
            "count": count,
            # Whole percents: the style sheet has a class for each fifth.
            "height": -(-(count or 0) * 20 // most) * 5,
            "is_marked": hour.hour % 6 == 0,
        }
        for hour, count in zip(hours, counts, strict=True)
    ]


def _in_hour(hour: datetime, *, is_over: bool) -> int | None:
    span = {"first": ids.first("msg", hour), "end": ids.first("msg", hour + timedelta(hours=1))}
    return cache.get_or_read(
        f"admin:messages:{hour:%Y%m%d%H}:{'whole' if is_over else 'so-far'}",
        lambda: _patiently(lambda: _count(_MESSAGES, **span)),
        ttl=26 * 3600 if is_over else 30,
    )


def _failures(now: datetime) -> list[dict[str, Any]]:
    return sql.rows(_FAILURES, {"since": now - timedelta(hours=24), "most": MOST})


def _handovers() -> list[dict[str, Any]]:
    rows = sql.rows(_HANDOVERS_SQL)
    for row in rows:
        row["link"] = reverse("admin:conversations_conversation_change", args=[quote(row["conversation_id"])])
    return rows


def _unknown() -> list[dict[str, Any]]:
    rows = sql.rows(_OLDEST_UNKNOWN)
    for row in rows:
        row["link"] = reverse("admin:conversations_message_change", args=[quote(row["message_id"])])
    return rows


def _unanswered() -> list[dict[str, Any]]:
    rows = unanswered.numbers()
    for row in rows:
        row["link"] = reverse("admin:channels_app_phonenumber_change", args=[quote(row["phone_number_id"])])
    return rows


def _count(statement: str, **parameters: object) -> int:
    row = sql.row(statement, {"most": MOST, **parameters})
    return int(row["count"]) if row else 0


def _patiently(read: Callable[[], T]) -> T | None:
    """Read something within two seconds, or not at all."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{_PATIENCE}'")
            return read()
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        log.warning("dashboard.too_slow")
        return None


def _span(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


# Each statement says by which index it is read.
# inbound_waiting_by_number
_WAITING = """
    SELECT count(*) AS waiting, min(received_at) AS oldest
      FROM (SELECT received_at FROM inbound_messages WHERE status = 'pending' LIMIT %(most)s + 1) AS found
"""
# turns_open_by_number
_OPEN_TURNS = """
    SELECT count(*) AS count
      FROM (SELECT 1 FROM turns WHERE closed_at IS NULL LIMIT %(most)s + 1) AS found
"""
# customers_paused
_PAUSED = """
    SELECT count(*) AS count
      FROM (SELECT 1 FROM customers
             WHERE paused_until > statement_timestamp() LIMIT %(most)s + 1) AS found
"""
# conversations_asking_for_staff
_HANDED_OVER = """
    SELECT count(*) AS count
      FROM (SELECT 1 FROM conversations WHERE handover_at IS NOT NULL LIMIT %(most)s + 1) AS found
"""
_HANDOVERS_SQL = """
    SELECT conversation_id, customer_phone, handover_reason, handover_at
      FROM conversations WHERE handover_at IS NOT NULL ORDER BY handover_at LIMIT 10
"""
# messages_unknown_by_user
_UNKNOWN = """
    SELECT count(*) AS count
      FROM (SELECT 1 FROM messages WHERE unknown_at IS NOT NULL LIMIT %(most)s + 1) AS found
"""
_OLDEST_UNKNOWN = """
    SELECT message_id, customer_phone, failure_reason, unknown_at
      FROM messages JOIN conversations USING (conversation_id)
     WHERE unknown_at IS NOT NULL ORDER BY unknown_at LIMIT 10
"""
# a row for each business; few
_EXHAUSTED = """
    SELECT count(*) AS count
      FROM (SELECT 1 FROM credits WHERE remaining_credits < %(price)s LIMIT %(most)s + 1) AS found
"""
# the primary key, which follows the clock
_MESSAGES = """
    SELECT count(*) AS count FROM messages WHERE message_id >= %(first)s AND message_id < %(end)s
"""
# messages_failed_lately
_FAILURES = """
    SELECT reason, count(*) AS count
      FROM (SELECT COALESCE(NULLIF(left(failure_reason, 80), ''), 'no reason given') AS reason
              FROM messages
             WHERE status = 'failed' AND failed_at >= %(since)s LIMIT %(most)s) AS found
     GROUP BY reason ORDER BY count DESC, reason LIMIT 8
"""
