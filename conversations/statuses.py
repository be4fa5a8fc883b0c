"""
The status of a message, derived from its deliveries.

A part is as far as its best attempt got: one that arrived stays arrived although a later attempt failed,
and one of unknown outcome is not failed although a later attempt was. A message is as far as its least part.
"""

from operator import itemgetter

from billing import events
from config.lib import sql
from conversations import message_events


def refresh(message_ids: list[str]) -> None:
    """
    Derive the status of messages from their deliveries; the caller has locked the messages' rows.

    Where a message may become `failed`, the caller has locked its conversation first: the items of a reply
    that was never said leave OpenAI's copy, and its disclosure counts no more. Events about the changes are
    recorded in the same transaction; where no endpoint wants any, that costs no statement.
    """
    sql.execute(_CANCEL_NEEDLESS_ATTEMPTS, {"messages": message_ids})
    changed = sql.rows(_REFRESH, {"messages": message_ids})
    message_events.record(
        *(
            (row["message_id"], type_)
            # In the order in which the messages were said.
            for row in sorted(changed, key=itemgetter("message_id"))
            for type_ in message_events.raised_by(
                before=row["before"], after=row["after"], wanted=row["wanted"] or ()
            )
        )
    )


def lock_conversations(message_ids: list[str]) -> None:
    """Lock the conversations of messages that may fail, before the messages, for the transaction."""
    sql.execute(_LOCK_CONVERSATIONS, [message_ids])


def lock(message_ids: list[str]) -> None:
    """Lock messages for the transaction, in the order of all transactions that lock several."""
    sql.execute(_LOCK_MESSAGES, [message_ids])


_LOCK_CONVERSATIONS = """
    SELECT 1 FROM conversations
     WHERE conversation_id IN (SELECT conversation_id FROM messages WHERE message_id = ANY(%s))
     ORDER BY conversation_id
       FOR NO KEY UPDATE
"""
_LOCK_MESSAGES = "SELECT 1 FROM messages WHERE message_id = ANY(%s) ORDER BY message_id FOR UPDATE"


# A retry that has not been posted yet, of a part that is now known to have arrived.
_CANCEL_NEEDLESS_ATTEMPTS = """
    UPDATE deliveries
       SET state = 'cancelled', error = 'an earlier attempt arrived', updated_at = statement_timestamp()
     WHERE message_id = ANY(%(messages)s) AND state = 'pending' AND attempt > 1
       AND EXISTS (SELECT 1 FROM deliveries AS earlier
                    WHERE earlier.message_id = deliveries.message_id AND earlier.part = deliveries.part
                      AND earlier.state IN ('sent', 'delivered', 'read'))
"""

# How far each part of the messages %(messages)s got: the best state of its attempts, and its newest error.
PARTS_SQL = """
    SELECT DISTINCT ON (message_id, part) message_id, phone_number_id, part, text, state, error,
           bool_and(state IN ('failed', 'cancelled')) OVER (PARTITION BY message_id) AS is_unsaid,
           first_value(error) OVER (PARTITION BY message_id, part ORDER BY attempt DESC) AS newest_error
      FROM deliveries
     WHERE message_id = ANY(%(messages)s)
     ORDER BY message_id, part,
              array_position(ARRAY['read', 'delivered', 'sent', 'sending', 'pending', 'unknown'],
                             state::text) NULLS LAST,
              attempt DESC
"""

_REFRESH = f"""
    WITH parts AS ({PARTS_SQL}),
    found AS (
        SELECT message_id, bool_and(is_unsaid) AS is_unsaid,
               string_agg(error, '; ' ORDER BY part)
                   FILTER (WHERE state IN ('failed', 'cancelled')) AS error,
               string_agg(newest_error, '; ' ORDER BY part) FILTER (WHERE state = 'unknown') AS doubt,
               CASE WHEN bool_or(state IN ('failed', 'cancelled')) THEN 'failed'
                    WHEN bool_or(state IN ('pending', 'sending')) THEN 'pending'
                    WHEN bool_or(state = 'unknown') THEN 'unknown'
                    WHEN bool_or(state = 'sent') THEN 'sent'
                    WHEN bool_or(state = 'delivered') THEN 'delivered'
                    ELSE 'read' END AS status
          FROM parts
         GROUP BY message_id),
    unsaid AS (
        SELECT conversation_id, array_agg(DISTINCT message_id) AS message_ids,
               COALESCE(jsonb_agg(item) FILTER (WHERE openai_knows AND item IS NOT NULL), '[]') AS items
          FROM messages JOIN found USING (message_id)
          LEFT JOIN jsonb_array_elements(openai_item_ids) AS item ON true
         WHERE found.is_unsaid
         GROUP BY conversation_id),
    surplus AS (
        UPDATE conversations
           SET openai_surplus = openai_surplus || unsaid.items,
               -- Nobody read that disclosure: the next reply has it again.
               disclosed_at = CASE WHEN disclosed_by = ANY(message_ids) THEN NULL ELSE disclosed_at END,
               disclosed_by = CASE WHEN disclosed_by = ANY(message_ids) THEN '' ELSE disclosed_by END
          FROM unsaid
         WHERE conversations.conversation_id = unsaid.conversation_id
           AND (unsaid.items <> '[]' OR disclosed_by = ANY(message_ids))),
    changed AS (
        SELECT found.*, messages.user_id, messages.status AS before
          FROM found JOIN messages USING (message_id)
         WHERE messages.status <> found.status),
    wanted AS MATERIALIZED ({events.wanted_types(users="SELECT DISTINCT user_id FROM changed")})
    UPDATE messages
       SET status = found.status,
           failure_reason = CASE found.status WHEN 'failed' THEN found.error
                                              WHEN 'unknown' THEN found.doubt ELSE '' END,
           failed_at = CASE WHEN found.status = 'failed' THEN statement_timestamp() END,
           unknown_at = CASE WHEN found.status = 'unknown' THEN statement_timestamp() END,
           unknown_reported_at = NULL,
           openai_knows = openai_knows AND NOT found.is_unsaid,
           openai_item_ids = CASE WHEN found.is_unsaid THEN '[]' ELSE openai_item_ids END
      FROM changed AS found LEFT JOIN wanted ON wanted.user_id = found.user_id
     WHERE messages.message_id = found.message_id
    RETURNING messages.message_id, found.before, found.status AS after, wanted.types AS wanted
"""  # noqa: S608  (our own words)
