"""Deletes old readings of conversations, and the leads in them, in short batches."""

from datetime import datetime, timedelta

from django.conf import settings

from config.lib import ids, sql

BATCH = 1000


def purge(*, now: datetime) -> int:
    """Delete readings that ended more than LEAD_RETENTION_DAYS ago; return how many."""
    days = settings.LEAD_RETENTION_DAYS
    if not days:
        return 0
    before = now - timedelta(days=days)
    return sql.execute_in_batches(
        _DELETE_SQL, {"first": ids.first("ext", before), "before": before, "most": BATCH}
    )


_DELETE_SQL = """
    DELETE FROM extractions
     WHERE extraction_id = ANY(ARRAY(
           SELECT extraction_id FROM extractions
            WHERE extraction_id < %(first)s AND extracted_at < %(before)s
              AND status NOT IN ('waiting', 'running')
            ORDER BY extraction_id LIMIT %(most)s FOR UPDATE SKIP LOCKED))
"""
