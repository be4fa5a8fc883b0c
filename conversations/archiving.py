"""Closes the talks of an agent that left a number; what a customer says next opens one with its successor."""

from django.db.models.functions import Now

from agents.models import ConversationArchive
from config.lib import sql

# Conversations a statement closes: a turn that ends meanwhile waits for no more than these.
BATCH = 1000
# A ring that has not been answered after this many seconds was lost.
PATIENCE = 10


def close_archived(*, archive_id: str) -> int:
    """Close the talks that an archive says have ended, and say how many; doing it again closes no more."""
    closed = 0
    while rows := sql.execute(_CLOSE, {"archive": archive_id, "most": BATCH}):
        closed += rows
    ConversationArchive.objects.filter(pk=archive_id, closed_at=None).update(closed_at=Now())
    return closed


def unfinished_archives() -> list[str]:
    """List the archives nobody has closed the talks of; their rings were lost."""
    rows = sql.rows(_UNFINISHED, {"patience": PATIENCE})
    return [row["archive_id"] for row in rows]


# A turn in flight keeps its conversation and ends in it, active or not.
_CLOSE = """
    UPDATE conversations
       SET is_active = false
     WHERE conversation_id IN (
           SELECT conversation_id
             FROM conversation_archives AS archive
             JOIN conversations ON conversations.agent_id = archive.old_agent_id
             JOIN customers AS customer USING (customer_id)
            WHERE archive.archive_id = %(archive)s AND conversations.is_active
              AND conversations.created_at < archive.archived_at
              AND customer.phone_number_id = archive.phone_number_id
            ORDER BY conversation_id
            LIMIT %(most)s
              FOR NO KEY UPDATE OF conversations)
"""

_UNFINISHED = """
    SELECT archive_id
      FROM conversation_archives
     WHERE closed_at IS NULL AND archived_at < statement_timestamp() - make_interval(secs => %(patience)s)
     ORDER BY archived_at
     LIMIT 100
"""
