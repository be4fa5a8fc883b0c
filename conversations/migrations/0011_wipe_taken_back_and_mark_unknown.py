"""
Brings existing rows to the rules of this release, in batches along the primary keys, each its own transaction.

Messages whose newest deliveries are of unknown outcome become `unknown`, and are reported as if they had just
become so. What customers took back leaves the inbox and the edits that held it. Messages that a replay had
left waiting without a customer are ignored again. It may be interrupted and run again.
"""

from django.db import connection, migrations

BATCH = 5_000

# Only where every part that did not arrive is unknown.
_MARK_UNKNOWN = """
    UPDATE messages
       SET status = 'unknown', unknown_at = statement_timestamp(), failed_at = NULL
     WHERE status = 'pending' AND sender = 'agent'
       AND message_id IN (SELECT message_id FROM deliveries
                           WHERE delivery_id > %(after)s AND delivery_id <= %(upto)s AND state = 'unknown')
       AND NOT EXISTS (SELECT 1 FROM deliveries AS other
                        WHERE other.message_id = messages.message_id
                          AND other.state IN ('pending', 'sending', 'failed', 'cancelled'))
"""
_WIPE_INBOX = """
    UPDATE inbound_messages AS inbox
       SET text = '', context = '', media = '[]', payload = '{}',
           status = CASE WHEN status IN ('pending', 'failed', 'rejected') THEN 'ignored' ELSE status END,
           reason = CASE WHEN status IN ('pending', 'failed', 'rejected') THEN 'taken back' ELSE reason END
     WHERE id > %(after)s AND id <= %(upto)s
       AND (inbox.reason = 'taken back' AND inbox.status = 'ignored'
            OR EXISTS (SELECT 1 FROM messages
                        WHERE messages.inbound_id = inbox.id AND messages.deleted_at IS NOT NULL))
"""
_WIPE_EDITS = """
    UPDATE channel_events AS edit SET data = '{}', payload = '{}'
     WHERE id > %(after)s AND id <= %(upto)s AND kind = 'edit' AND applied_at IS NOT NULL
       AND EXISTS (SELECT 1 FROM channel_events AS revoke
                    WHERE revoke.kind = 'revoke' AND revoke.phone_number_id = edit.phone_number_id
                      AND revoke.provider_message_id = edit.provider_message_id)
"""
_IGNORE_STRAYS = """
    UPDATE inbound_messages SET status = 'ignored', reason = 'from ourselves'
     WHERE status = 'pending' AND customer_id IS NULL
"""
_STEPS = (
    ("deliveries", "delivery_id", "", _MARK_UNKNOWN),
    ("inbound_messages", "id", 0, _WIPE_INBOX),
    ("channel_events", "id", 0, _WIPE_EDITS),
)


def forward(_apps, _editor):
    with connection.cursor() as cursor:
        for table, key, first, statement in _STEPS:
            after = first
            while upto := _upto(cursor, table, key, after):
                cursor.execute(statement, {"after": after, "upto": upto})
                after = upto
        cursor.execute(_IGNORE_STRAYS)


def _upto(cursor, table, key, after):
    cursor.execute(
        f"SELECT max({key}) FROM (SELECT {key} FROM {table} WHERE {key} > %s ORDER BY {key} LIMIT %s) AS batch",
        [after, BATCH],
    )
    return cursor.fetchone()[0]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("conversations", "0010_unknown_outcomes"),
        ("channels_app", "0011_events_about_messages"),
    ]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
