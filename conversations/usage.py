"""What a business used: messages, tokens and credits by day and number."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from config.lib import sql, tenancy

_COUNTED = ("messages_received", "replies_sent", "staff_messages", "tokens_used", "credits_used")


def daily(
    *, user_id: str, since: date, until: date, phone_number_id: str | None = None
) -> list[dict[str, Any]]:
    """
    Count what a business used on each day (UTC) from `since` to `until`, both included, on each number.

    Dictionaries with `day`, `phone_number_id` and, as numbers, `messages_received`, `replies_sent` (by the
    AI; without those that failed), `staff_messages`, `tokens_used` and `credits_used`: what turns were
    charged that day less what came back, which is negative where more came back. Days without any are left
    out. By day, then number. How many days may be asked for at once is for the caller to limit.

    :raises TenantMissingError: if `user_id` is empty
    """
    span = {
        "user": tenancy.required(user_id),
        "since": datetime.combine(since, time.min, UTC),
        "until": datetime.combine(until + timedelta(days=1), time.min, UTC),
        "number": phone_number_id or None,
        "permitted": tenancy.permitted_numbers(),
    }
    days: dict[tuple[date, str], dict[str, Any]] = {}
    for row in (*sql.rows(_MESSAGES_SQL, span), *sql.rows(_SPENT, span)):
        key = (row["day"], row["phone_number_id"])
        empty = dict(zip(("day", "phone_number_id"), key, strict=True)) | dict.fromkeys(_COUNTED, 0)
        days.setdefault(key, empty).update(row)
    return [days[key] for key in sorted(days)]


_MESSAGES_SQL = """
    SELECT (said.timestamp AT TIME ZONE 'UTC')::date AS day, said.phone_number_id,
           count(*) FILTER (WHERE said.author = 'customer') AS messages_received,
           count(*) FILTER (WHERE said.author = 'ai' AND said.status <> 'failed') AS replies_sent,
           count(*) FILTER (WHERE said.author = 'staff') AS staff_messages,
           sum(said.tokens_used)::bigint AS tokens_used
      FROM messages AS said
     WHERE said.user_id = %(user)s AND said.timestamp >= %(since)s AND said.timestamp < %(until)s
       AND (%(number)s::text IS NULL OR said.phone_number_id = %(number)s)
       AND (%(permitted)s::text[] IS NULL OR said.phone_number_id = ANY (%(permitted)s))
     GROUP BY 1, 2
"""

# A business's lines are read from the newest back to the span's beginning. Their ids follow the clock but for
# the time a line waits for the balance. A reply that is sent again is charged under its turn's id and `/2`.
_SPENT = """
    SELECT (line.created_at AT TIME ZONE 'UTC')::date AS day, turns.phone_number_id,
           -sum(line.amount)::bigint AS credits_used
      FROM credit_entries AS line
      JOIN turns ON turns.turn_id = split_part(line.reference, '/', 1)
     WHERE line.user_id = %(user)s AND line.kind IN ('charge', 'refund')
       AND line.created_at >= %(since)s AND line.created_at < %(until)s
       AND line.id > COALESCE((SELECT older.id FROM credit_entries AS older
                                WHERE older.user_id = %(user)s
                                  AND older.created_at < %(since)s::timestamptz - interval '1 hour'
                                ORDER BY older.id DESC
                                LIMIT 1), 0)
       AND (%(number)s::text IS NULL OR turns.phone_number_id = %(number)s)
       AND (%(permitted)s::text[] IS NULL OR turns.phone_number_id = ANY (%(permitted)s))
     GROUP BY 1, 2
"""
