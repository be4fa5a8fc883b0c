"""Every query of a trace. Each goes by an index, but for dead letters, which are few."""

# --- From an identifier to rows ----------------------------------------------------------------------

INBOUND_BY_CORRELATION_SQL = """
    SELECT id FROM inbound_messages WHERE correlation_id = %(id)s AND correlation_id <> ''
"""
INBOUND_BY_ID_SQL = "SELECT id FROM inbound_messages WHERE id = %(id)s"
# A message that is in no conversation yet. The index begins with the number, so it is read once per number.
INBOUND_BY_PROVIDER_ID_SQL = """
    WITH RECURSIVE numbers AS (
        (SELECT phone_number_id FROM inbound_messages ORDER BY phone_number_id LIMIT 1)
         UNION ALL
        SELECT (SELECT next.phone_number_id FROM inbound_messages AS next
                 WHERE next.phone_number_id > numbers.phone_number_id
                 ORDER BY next.phone_number_id LIMIT 1)
          FROM numbers WHERE numbers.phone_number_id IS NOT NULL)
    SELECT message.id
      FROM numbers
     CROSS JOIN LATERAL (
           SELECT id FROM inbound_messages
            WHERE inbound_messages.phone_number_id = numbers.phone_number_id
              AND inbound_messages.provider_message_id = %(id)s) AS message
"""
MESSAGES_BY_ID_SQL = "SELECT message_id, inbound_id, turn_id FROM messages WHERE message_id = %(id)s"
MESSAGES_BY_DELIVERY_SQL = """
    SELECT message_id, inbound_id, turn_id FROM messages
     WHERE message_id = (SELECT message_id FROM deliveries WHERE delivery_id = %(id)s)
"""
MESSAGES_BY_PROVIDER_ID_SQL = """
    SELECT message_id, inbound_id, turn_id FROM messages
     WHERE provider_message_id = %(id)s AND provider_message_id <> ''
     UNION
    SELECT message_id, inbound_id, turn_id FROM messages
     WHERE message_id IN (SELECT message_id FROM deliveries WHERE provider_message_id = %(id)s)
"""
# By the id of the webhook that brought a status, which came at about the time that the id says.
MESSAGES_BY_STATUS_SQL = """
    SELECT message_id, inbound_id, turn_id FROM messages
     WHERE message_id IN (
           SELECT message_id FROM deliveries
            WHERE provider_message_id IN (
                  SELECT provider_message_id FROM channel_events
                   WHERE applied_at IS NOT NULL
                     AND received_at BETWEEN %(at)s::timestamptz - interval '10 seconds'
                                         AND %(at)s::timestamptz + interval '1 hour'
                     AND correlation_id = %(id)s))
"""
TURN_BY_ID_SQL = "SELECT turn_id FROM turns WHERE turn_id = %(id)s"
DEAD_LETTERS_SQL = """
    SELECT id, phone_number_id, reason, received_at, replayed_at, correlation_id
      FROM dead_letters WHERE correlation_id = %(id)s AND correlation_id <> ''
"""

# --- The rows of the story ---------------------------------------------------------------------------

INBOUND_SQL = """
    SELECT id, phone_number_id, customer_id, provider_message_id, kind, text, status, reason, turn_id,
           sent_at, received_at, correlation_id
      FROM inbound_messages
     WHERE id IN (SELECT id FROM inbound_messages WHERE id = ANY(%(inbound)s)
                   UNION
                  SELECT id FROM inbound_messages WHERE turn_id = ANY(%(turns)s))
     ORDER BY id
"""
# A message that was retried belongs to its newest turn; earlier ones still name the webhook.
EARLIER_TURNS_SQL = """
    SELECT turn_id FROM turns
     WHERE customer_id = ANY(%(customers)s) AND created_at >= %(since)s
       AND snapshot ->> 'correlation_id' = ANY(%(correlations)s)
"""
TURNS_SQL = """
    SELECT turn_id, phone_number_id, customer_id, conversation_id, state, attempts, drafts, not_before, error,
           snapshot, created_at, answered_at, closed_at
      FROM turns WHERE turn_id = ANY(%(turns)s) ORDER BY created_at
"""
MESSAGES_SQL = """
    SELECT message_id, user_id, conversation_id, phone_number_id, turn_id, inbound_id, author, kind, text,
           timestamp, status, failure_reason, tokens_used, openai_response_id, unknown_reported_at, failed_at
      FROM messages
     WHERE message_id IN (SELECT message_id FROM messages WHERE message_id = ANY(%(messages)s)
                           UNION
                          SELECT message_id FROM messages WHERE turn_id = ANY(%(turns)s)
                           UNION
                          SELECT message_id FROM messages WHERE inbound_id = ANY(%(inbound)s))
     ORDER BY message_id
"""
DELIVERIES_SQL = """
    SELECT delivery_id, message_id, phone_number_id, attempt, part, state, provider_message_id, error,
           created_at, sending_at, updated_at
      FROM deliveries WHERE message_id = ANY(%(messages)s) ORDER BY attempt, part
"""
CREDITS_SQL = """
    SELECT kind, amount, reference, reason, balance_after, created_at FROM credit_entries
     WHERE kind IN ('charge', 'refund') AND reference = ANY(%(references)s)
"""
STATUSES_SQL = """
    SELECT provider_message_id, kind, data ->> 'status' AS status, occurred_at, received_at, outcome,
           correlation_id
      FROM channel_events
     WHERE phone_number_id = ANY(%(numbers)s) AND kind IN ('status', 'read') AND event_key = ANY(%(keys)s)
"""
EVENTS_SQL = """
    SELECT event_id, type, created_at FROM events
     WHERE user_id = %(user)s AND created_at BETWEEN %(since)s AND %(until)s
       AND conversation_id = ANY(%(conversations)s)
       AND (data ->> 'message_id' = ANY(%(messages)s) OR data ->> 'turn_id' = ANY(%(turns)s)
            OR type = 'conversation.handover')
"""
POSTS_SQL = """
    SELECT delivery.event_id, delivery.endpoint_id, delivery.state, delivery.log, delivery.due_at,
           substring(endpoint.url FROM '^[a-z]+://([^/?#@]+)') AS host
      FROM webhook_deliveries AS delivery JOIN webhook_endpoints AS endpoint USING (endpoint_id)
     WHERE delivery.event_id = ANY(%(events)s)
"""
MODELS_SQL = """
    SELECT prompt_id, number, model FROM prompt_versions
     WHERE prompt_id = ANY(%(prompts)s) AND number = ANY(%(versions)s)
"""
CUSTOMERS_SQL = """
    SELECT customer_id, COALESCE(wa_id, bsuid, ig_id, visitor_id) AS address, paused_until, pause_reason,
           due_at, COALESCE(paused_until > statement_timestamp(), false) AS is_paused
      FROM customers WHERE customer_id = ANY(%(customers)s)
"""
