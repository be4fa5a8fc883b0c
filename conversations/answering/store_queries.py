"""
The statements that store replies, for many turns at once, and that discard a draft.

Rows of large tables are found by `= ANY(ARRAY(SELECT …))`, which can only be an index lookup: a plan that was
made while the tables were empty stays right when they are large. `EXISTS` might read all that waits; a
subquery with LIMIT does not.
"""

STORE_SQL = """
    WITH reply AS MATERIALIZED (
        SELECT *
          FROM jsonb_to_recordset(%(replies)s) AS reply (
                   turn varchar, token uuid, customer varchar, message varchar, text text, kind text,
                   error text, tokens int, parts jsonb, disclosed_text text, disclosed_parts jsonb,
                   response text, is_from_model bool, is_in_copy bool, items jsonb, last_item text,
                   known jsonb, owed jsonb, may_join bool)),
    turn AS (
        UPDATE turns
           SET state = 'answered', answered_at = statement_timestamp(), error = reply.error
          FROM reply
         WHERE turns.turn_id = ANY(ARRAY(SELECT turn FROM reply))
           AND turns.turn_id = reply.turn AND turns.lease_token = reply.token AND turns.state = 'claimed'
           AND NOT (reply.may_join AND (SELECT newer.id FROM inbound_messages AS newer
                                         WHERE newer.customer_id = reply.customer
                                           AND newer.status = 'pending'
                                         LIMIT 1) IS NOT NULL)
        RETURNING turns.turn_id, turns.conversation_id, turns.phone_number_id),
    conversation AS (
        UPDATE conversations
           SET last_sequence_no = last_sequence_no + 1, last_message_at = statement_timestamp(),
               openai_last_item_id = CASE WHEN is_from_model THEN last_item ELSE openai_last_item_id END,
               openai_owed = CASE WHEN is_from_model THEN owed ELSE openai_owed END,
               disclosed_at = CASE WHEN disclosed_text <> '' AND disclosed_at IS NULL
                                   THEN statement_timestamp() ELSE disclosed_at END,
               disclosed_by = CASE WHEN disclosed_text <> '' AND disclosed_at IS NULL THEN message
                                   ELSE disclosed_by END
          FROM turn JOIN reply ON reply.turn = turn.turn_id
         WHERE conversations.conversation_id = ANY(ARRAY(SELECT conversation_id FROM turn))
           AND conversations.conversation_id = turn.conversation_id
        RETURNING turn.turn_id, last_sequence_no, user_id, disclosed_by = message AS is_disclosing),
    locked AS (
        SELECT message_id FROM messages
         WHERE message_id = ANY(ARRAY(SELECT jsonb_array_elements_text(known)
                                        FROM reply JOIN conversation ON conversation.turn_id = reply.turn))
         ORDER BY message_id FOR NO KEY UPDATE),
    known AS (
        UPDATE messages SET openai_knows = true, reaction_known = true
         WHERE message_id = ANY(ARRAY(SELECT message_id FROM locked))),
    stored AS MATERIALIZED (
        SELECT reply.*, turn.turn_id, turn.conversation_id, turn.phone_number_id, last_sequence_no, user_id,
               is_disclosing
          FROM turn
          JOIN conversation ON conversation.turn_id = turn.turn_id
          JOIN reply ON reply.turn = turn.turn_id),
    message AS (
        INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, turn_id, sender, author,
                              kind, text, media, context, quoted_id, provider_message_id, timestamp, status,
                              sequence_no, reaction, failure_reason, tokens_used, openai_response_id,
                              openai_knows, openai_item_ids)
        SELECT message, user_id, conversation_id, phone_number_id, turn_id, 'agent', 'ai', kind,
               CASE WHEN is_disclosing THEN disclosed_text ELSE text END,
               '[]', '', '', '', statement_timestamp(), 'pending', last_sequence_no, '', '',
               tokens, response, is_in_copy, items
          FROM stored),
    delivery AS (
        INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state, error,
                                created_at, updated_at)
        SELECT part.delivery_id, stored.message, stored.phone_number_id, 1, part.part, part.text, 'pending',
               '', statement_timestamp(), statement_timestamp()
          FROM stored,
               jsonb_to_recordset(CASE WHEN is_disclosing THEN disclosed_parts ELSE parts END)
                   AS part (delivery_id varchar, part int, text text))
    SELECT turn_id FROM turn
"""

REGISTERED_SQL = """
    SELECT number.created_at
      FROM customers JOIN phone_numbers AS number USING (phone_number_id)
     WHERE customer_id = %s
"""

LOCK_CUSTOMER_SQL = "SELECT 1 FROM customers WHERE customer_id = %s FOR NO KEY UPDATE"

LOCK_WAITING_SQL = """
    SELECT 1 FROM inbound_messages
     WHERE customer_id = %s AND status = 'pending' ORDER BY id FOR NO KEY UPDATE
"""

DISCARD_DRAFT_SQL = """
    WITH turn AS (
        UPDATE turns SET drafts = drafts + 1 WHERE turn_id = %(turn)s RETURNING conversation_id),
    locked AS (
        SELECT message_id FROM messages
         WHERE message_id = ANY(%(known)s) ORDER BY message_id FOR NO KEY UPDATE),
    known AS (
        UPDATE messages SET openai_knows = true, reaction_known = true
          FROM locked
         WHERE messages.message_id = locked.message_id)
    UPDATE conversations SET openai_owed = '[]', openai_surplus = openai_surplus || %(items)s
      FROM turn
     WHERE conversations.conversation_id = turn.conversation_id
"""
