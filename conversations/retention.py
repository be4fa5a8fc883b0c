"""
Deletes old messages, and files of messages: in short batches, oldest first, each a transaction of its own.

No lock is taken that anybody waits for who answers: rows of open turns are young, and a row that somebody
holds is left for the next run.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from config.lib import ids, progress, sql
from conversations import pending_deletions
from conversations.models import Message
from conversations.pending_deletions import Kind

BATCH = 500
# Batches of one run; the next run takes the rest.
MOST_BATCHES = 400
EXPIRED = "expired"
# Messages that are looked through for files at a time.
WALKED = 5000
_FILES = "retention:files"


def purge(*, now: datetime) -> dict[str, int]:
    """Delete what is older than its setting says; return how many of each kind."""
    counts: dict[str, int] = {}
    if days := settings.MEDIA_RETENTION_DAYS:
        counts["files"] = _files(now - timedelta(days=days))
    if days := settings.MESSAGE_RETENTION_DAYS:
        before = now - timedelta(days=days)
        counts["messages"] = _batches(_messages, before)
        counts["turns"] = _batches(_turns, before)
        counts["conversations"] = _batches(_conversations, before)
    return counts


def _batches(purge_some: Any, before: datetime) -> int:
    deleted = 0
    for _ in range(MOST_BATCHES):
        found = purge_some(before)
        deleted += found
        if found < BATCH:
            break
    return deleted


def _messages(before: datetime) -> int:
    """Delete some messages with their deliveries; their files are deleted elsewhere."""
    with transaction.atomic():
        rows = sql.rows(
            _OLD_MESSAGES_SQL, {"first": ids.first("msg", before), "before": before, "most": BATCH}
        )
        message_ids = [row["message_id"] for row in rows]
        files = [name for row in rows for name in sql.from_jsonb(row["files"])]
        pending_deletions.add(Kind.FILE, files)
        sql.execute("DELETE FROM deliveries WHERE message_id = ANY(%s)", [message_ids])
        sql.execute("DELETE FROM messages WHERE message_id = ANY(%s)", [message_ids])
    return len(message_ids)


def _turns(before: datetime) -> int:
    return sql.execute(_DELETE_TURNS_SQL, {"first": ids.first("trn", before), "most": BATCH})


def _conversations(before: datetime) -> int:
    """Delete some conversations of which no message is left, and their copies at OpenAI."""
    with transaction.atomic():
        rows = sql.rows(
            _DELETE_CONVERSATIONS_SQL,
            {"first": ids.first("cnv", before), "before": before, "most": BATCH},
        )
        copies = [row["openai_conversation_id"] for row in rows]
        pending_deletions.add(Kind.OPENAI_CONVERSATION, [copy for copy in copies if copy])
    return len(rows)


def _files(before: datetime) -> int:
    """Delete the files of old messages; the messages stay, and say that the file has expired."""
    deleted, after = 0, progress.read(_FILES)
    for _ in range(MOST_BATCHES):
        found = {"after": after, "first": ids.first("msg", before), "most": WALKED}
        with transaction.atomic():
            last = sql.row(_LAST_WALKED_SQL, found)
            rows = sql.rows(_WITH_FILES_SQL, found)
            for message in Message.objects.filter(pk__in=[row["message_id"] for row in rows]).order_by("pk"):
                deleted += _expire(message)
        if last is None or last["message_id"] is None:
            break
        after = last["message_id"]
        progress.note(_FILES, after)
    return deleted


def _expire(message: Message) -> int:
    names = [entry.pop("name") for entry in message.media if entry.get("name")]
    for entry in message.media:
        entry.update(missing=EXPIRED)
        entry.pop("url", None)
    message.save(update_fields=["media"])
    pending_deletions.add(Kind.FILE, names)
    return len(names)


# Ids follow the clock: the primary key finds the oldest.
_OLD_MESSAGES_SQL = """
    SELECT message_id,
           (SELECT COALESCE(jsonb_agg(media.value ->> 'name'), '[]')
              FROM jsonb_array_elements(messages.media) AS media
             WHERE COALESCE(media.value ->> 'name', '') <> '') AS files
      FROM messages
     WHERE message_id < %(first)s AND timestamp < %(before)s AND status <> 'pending'
     ORDER BY message_id
     LIMIT %(most)s
       FOR UPDATE SKIP LOCKED
"""
# messages_by_turn
_DELETE_TURNS_SQL = """
    DELETE FROM turns
     WHERE turn_id = ANY(ARRAY(
           SELECT turn_id FROM turns
            WHERE turn_id < %(first)s AND closed_at IS NOT NULL
              AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.turn_id = turns.turn_id)
            ORDER BY turn_id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
# messages_sequence_once_per_conversation, turns_by_conversation, extractions_by_talk
_DELETE_CONVERSATIONS_SQL = """
    DELETE FROM conversations
     WHERE conversation_id = ANY(ARRAY(
           SELECT conversation_id FROM conversations AS talk
            WHERE conversation_id < %(first)s AND last_message_at < %(before)s
              AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.conversation_id = talk.conversation_id)
              AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.conversation_id = talk.conversation_id)
              AND NOT EXISTS (SELECT 1 FROM extractions AS lead
                               WHERE lead.conversation_id = talk.conversation_id)
            ORDER BY conversation_id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING openai_conversation_id
"""
_WALKED = """
    SELECT message_id FROM messages
     WHERE message_id > %(after)s AND message_id < %(first)s ORDER BY message_id LIMIT %(most)s
"""
_LAST_WALKED_SQL = f"SELECT max(message_id) AS message_id FROM ({_WALKED}) AS walked"  # noqa: S608
_WITH_FILES_SQL = f"""
    SELECT message_id FROM messages
     WHERE message_id = ANY(ARRAY({_WALKED})) AND media <> '[]'
       AND EXISTS (SELECT 1 FROM jsonb_array_elements(media) AS entry
                    WHERE COALESCE(entry.value ->> 'name', '') <> '')
     ORDER BY message_id
       FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608  (our own words)
