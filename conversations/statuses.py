"""What a message's status is: that of its deliveries, all of which must have got so far."""

from config.lib import sql


def refresh(message_ids: list[str]) -> None:
    """
    Give messages the status of their newest attempt's deliveries; their rows are locked by the caller.

    A reply that was never said must not stay in OpenAI's copy: its items go to the conversation's surplus.
    """
    sql.execute(_REFRESH, [message_ids])


_REFRESH = """
    WITH found AS (
        SELECT message_id,
               string_agg(error, '; ' ORDER BY part)
                   FILTER (WHERE state IN ('failed', 'cancelled')) AS error,
               CASE WHEN bool_or(state IN ('failed', 'cancelled')) THEN 'failed'
                    WHEN bool_or(state IN ('pending', 'sending', 'unknown')) THEN 'pending'
                    WHEN bool_or(state = 'sent') THEN 'sent'
                    WHEN bool_or(state = 'delivered') THEN 'delivered'
                    ELSE 'read' END AS status,
               bool_and(state IN ('failed', 'cancelled')) AS is_unsaid
          FROM deliveries
         WHERE message_id = ANY(%s)
           AND attempt = (SELECT max(attempt) FROM deliveries AS newer
                           WHERE newer.message_id = deliveries.message_id)
         GROUP BY message_id),
    unsaid AS (
        SELECT conversation_id, jsonb_agg(item) AS items
          FROM messages JOIN found USING (message_id)
          CROSS JOIN jsonb_array_elements(openai_item_ids) AS item
         WHERE found.is_unsaid AND openai_knows
         GROUP BY conversation_id),
    surplus AS (
        UPDATE conversations SET openai_surplus = openai_surplus || unsaid.items
          FROM unsaid WHERE conversations.conversation_id = unsaid.conversation_id)
    UPDATE messages
       SET status = found.status,
           failure_reason = CASE WHEN found.status = 'failed' THEN found.error ELSE '' END,
           failed_at = CASE WHEN found.status = 'failed' THEN statement_timestamp() END,
           openai_knows = openai_knows AND NOT found.is_unsaid,
           openai_item_ids = CASE WHEN found.is_unsaid THEN '[]' ELSE openai_item_ids END
      FROM found
     WHERE messages.message_id = found.message_id AND messages.status <> found.status
"""
