"""Deletes what this room need not keep: in short batches, oldest first, each a transaction of its own."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings

from channels_app.models import ChannelEvent
from config.lib import progress, sql

BATCH = 5000
# Rows whose payload is emptied, or that hold whole bodies, at a time.
SMALL_BATCH = 500
_PAYLOADS = "retention:payloads"


def purge(*, now: datetime) -> int:
    """Delete, or empty, what is older than its setting says; return how many rows."""
    return sum(
        purge_one(now - timedelta(days=days))
        for days, purge_one in (
            (settings.CHANNEL_EVENT_RETENTION_DAYS, _channel_events),
            (settings.RAW_PAYLOAD_RETENTION_DAYS, _payloads),
            (settings.DEAD_LETTER_RETENTION_DAYS, _dead_letters),
            (settings.MESSAGE_RETENTION_DAYS, _inbox),
            (settings.TOMBSTONE_RETENTION_DAYS, _tombstones),
        )
        if days
    )


def _channel_events(before: datetime) -> int:
    """
    Delete events that were applied.

    They are read in the order in which they came, up to the first batch that ends with a younger one.
    """
    read, deleted = 0, 0
    while batch := list(
        ChannelEvent.objects.filter(pk__gt=read).order_by("pk").only("received_at", "applied_at")[:BATCH]
    ):
        old = [event.pk for event in batch if event.received_at < before and event.applied_at]
        deleted += ChannelEvent.objects.filter(pk__in=old).delete()[0]
        if batch[-1].received_at >= before:
            break
        read = batch[-1].pk
    return deleted


def _payloads(before: datetime) -> int:
    """Empty the payloads of messages that are neither waiting nor being answered."""
    came_to = progress.read(_PAYLOADS)
    return _walk(
        _EMPTY_PAYLOADS_SQL,
        before,
        most=SMALL_BATCH,
        after=int(came_to) if came_to.isdigit() else 0,
        note=lambda last: progress.note(_PAYLOADS, str(last)),
    )


def _inbox(before: datetime) -> int:
    """Delete rows of the inbox that no message of a conversation came from, or whose message is deleted."""
    return _walk(_DELETE_INBOX_SQL, before, most=BATCH)


def _dead_letters(before: datetime) -> int:
    return sql.execute_in_batches(_DELETE_LETTERS_SQL, {"before": before, "most": SMALL_BATCH})


def _tombstones(before: datetime) -> int:
    return sql.execute_in_batches(_DELETE_TOMBSTONES_SQL, {"before": before, "most": BATCH})


def _walk(
    statement: str,
    before: datetime,
    *,
    most: int,
    after: int = 0,
    note: Callable[[int], None] = lambda _last: None,
) -> int:
    """Go through a table by its key, in batches, up to the first younger row; return how many changed."""
    changed = 0
    while (row := sql.row(statement, {"after": after, "before": before, "most": most})) is not None:
        if row["last"] is None:
            break
        changed, after = changed + row["changed"], row["last"]
        # The batch that ends with a young row is looked at again.
        if row["is_young"]:
            break
        note(after)
    return changed


_WALKED = """
    SELECT id, status, received_at, payload = '{}' AS is_empty FROM inbound_messages
     WHERE id > %(after)s ORDER BY id LIMIT %(most)s
"""
# Rows that another transaction has locked are left for the next run.
_EMPTY_PAYLOADS_SQL = f"""
    WITH walked AS MATERIALIZED ({_WALKED}),
    emptied AS (
        UPDATE inbound_messages SET payload = '{{}}'
         WHERE id = ANY(ARRAY(
               SELECT id FROM inbound_messages
                WHERE id = ANY(ARRAY(SELECT id FROM walked
                                      WHERE received_at < %(before)s AND NOT is_empty
                                        AND status NOT IN ('pending', 'processing')))
                ORDER BY id FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING id)
    SELECT (SELECT max(id) FROM walked) AS last, (SELECT count(*) FROM emptied) AS changed,
           (SELECT bool_or(received_at >= %(before)s) FROM walked) AS is_young
"""  # noqa: S608  (our own words)
_DELETE_INBOX_SQL = f"""
    WITH walked AS MATERIALIZED ({_WALKED}),
    deleted AS (
        DELETE FROM inbound_messages
         WHERE id = ANY(ARRAY(
               SELECT id FROM inbound_messages AS row
                WHERE id = ANY(ARRAY(SELECT id FROM walked
                                      WHERE received_at < %(before)s
                                        AND status NOT IN ('pending', 'processing')))
                  AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.inbound_id = row.id)
                ORDER BY id FOR UPDATE SKIP LOCKED))
        RETURNING id)
    SELECT (SELECT max(id) FROM walked) AS last, (SELECT count(*) FROM deleted) AS changed,
           (SELECT bool_or(received_at >= %(before)s) FROM walked) AS is_young
"""  # noqa: S608  (our own words)
_DELETE_LETTERS_SQL = """
    DELETE FROM dead_letters
     WHERE id = ANY(ARRAY(SELECT id FROM dead_letters WHERE received_at < %(before)s
                           ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
# tombstones_by_age
_DELETE_TOMBSTONES_SQL = """
    DELETE FROM tombstones
     WHERE digest = ANY(ARRAY(SELECT digest FROM tombstones WHERE erased_at < %(before)s
                               ORDER BY erased_at LIMIT %(most)s))
"""
