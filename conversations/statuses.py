"""What a message's status is: that of its deliveries, all of which must have got so far."""

from billing import events
from config.lib import ids, sql


def refresh(message_ids: list[str]) -> None:
    """
    Give messages the status of their newest attempt's deliveries; their rows are locked by the caller.

    A reply that was never said must not stay in OpenAI's copy: its items go to the conversation's surplus.
    The business is told of what was sent and of what failed.
    """
    facts = {"messages": message_ids, "events": [ids.new("evt") for _ in message_ids]}
    sql.execute(_REFRESH, facts)


def sent(message: str) -> str:
    """Give SQL for the data of a `message.sent`; `message` names the row."""
    return f"""
        jsonb_build_object('message_id', {message}.message_id, 'phone_number_id', {message}.phone_number_id,
                           'author', {message}.author, 'text', {message}.text,
                           'timestamp', {message}.timestamp)
    """


def tell_sent(message_id: str) -> None:
    """Tell the business of a message that reached the customer without a delivery of ours."""
    sql.execute(_TELL_SENT, {"message": message_id, "event": ids.new("evt")})


_TELL_SENT = f"""
    INSERT INTO events (event_id, user_id, type, conversation_id, data)
    SELECT %(event)s, said.user_id, 'message.sent', said.conversation_id, {sent("said")}
      FROM messages AS said
     WHERE said.message_id = %(message)s
       AND {events.wanted(user="said.user_id", type=events.EventType.MESSAGE_SENT)}
"""  # noqa: S608  (our own words)

_REFRESH = f"""
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
         WHERE message_id = ANY(%(messages)s)
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
          FROM unsaid WHERE conversations.conversation_id = unsaid.conversation_id),
    told AS (
        INSERT INTO events (event_id, user_id, type, conversation_id, data)
        SELECT event.event_id, before.user_id,
               CASE WHEN found.status = 'failed' THEN 'message.failed' ELSE 'message.sent' END,
               before.conversation_id,
               CASE WHEN found.status = 'failed'
                    THEN jsonb_build_object('message_id', message_id, 'reason', found.error)
                    ELSE {sent("before")} END
          FROM found
          JOIN messages AS before USING (message_id)
          JOIN unnest(%(messages)s::text[], %(events)s::text[]) AS event (message_id, event_id)
               USING (message_id)
         WHERE (found.status = 'failed' AND before.status <> 'failed')
            OR (found.status IN ('sent', 'delivered', 'read') AND before.status = 'pending'
                AND {events.wanted(user="before.user_id", type=events.EventType.MESSAGE_SENT)}))
    UPDATE messages
       SET status = found.status,
           failure_reason = CASE WHEN found.status = 'failed' THEN found.error ELSE '' END,
           failed_at = CASE WHEN found.status = 'failed' THEN statement_timestamp() END,
           openai_knows = openai_knows AND NOT found.is_unsaid,
           openai_item_ids = CASE WHEN found.is_unsaid THEN '[]' ELSE openai_item_ids END
      FROM found
     WHERE messages.message_id = found.message_id AND messages.status <> found.status
"""  # noqa: S608  (our own words)
