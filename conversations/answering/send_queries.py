"""
The statements that begin and finish sending, for many turns at once.

Rows of large tables are found by `= ANY(ARRAY(SELECT …))`, which can only be an index lookup: a plan that was
made while the tables were empty stays right when they are large. `EXISTS` might read all that waits; a
subquery with LIMIT does not.
"""

from billing import events
from billing.events import EventType
from conversations.posting import POSTING_COLUMNS

# The next part of each turn's reply. One in `sending` under our own token was not posted: its COMMIT broke
# after all, and we are asking again. Subqueries with LIMIT are looked up once for each turn, in this order.
BEGIN_SQL = f"""
    WITH next AS MATERIALIZED (
        SELECT held.turn_id, held.token, part.delivery_id, reply.message_id, reply.user_id, turn.customer_id,
               turn.phone_number_id, customer.wa_id, customer.bsuid, customer.ig_id
          FROM unnest(%(turns)s::varchar[], %(tokens)s::uuid[]) AS held (turn_id, token)
         CROSS JOIN LATERAL (
               SELECT phone_number_id, customer_id FROM turns
                WHERE turns.turn_id = held.turn_id AND turns.lease_token = held.token
                  AND turns.state = 'answered'
                LIMIT 1) AS turn
         CROSS JOIN LATERAL (
               SELECT wa_id, bsuid, ig_id, paused_until > statement_timestamp() AS is_paused FROM customers
                WHERE customers.customer_id = turn.customer_id
                LIMIT 1) AS customer
         CROSS JOIN LATERAL (
               SELECT message_id, user_id, kind FROM messages
                WHERE messages.turn_id = held.turn_id AND messages.author = 'ai'
                LIMIT 1) AS reply
         CROSS JOIN LATERAL (
               SELECT delivery_id FROM deliveries
                WHERE deliveries.message_id = reply.message_id
                  AND (deliveries.state = 'pending'
                       OR (deliveries.state = 'sending' AND deliveries.lease_token = held.token))
                ORDER BY attempt, part
                LIMIT 1) AS part
         WHERE reply.kind = 'handover' OR customer.is_paused IS NOT TRUE)
    UPDATE deliveries
       SET state = 'sending', sending_at = statement_timestamp(), updated_at = statement_timestamp(),
           lease_token = customer.token,
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
      FROM next AS customer, phone_numbers AS number
     WHERE deliveries.delivery_id = ANY(ARRAY(SELECT delivery_id FROM next))
       AND deliveries.delivery_id = customer.delivery_id
       AND (deliveries.state = 'pending' OR deliveries.lease_token = customer.token)
       AND number.phone_number_id = customer.phone_number_id
    RETURNING customer.turn_id, {POSTING_COLUMNS},
              {events.wanted(user="customer.user_id", type=EventType.MESSAGE_SENT)} AS is_sent_wanted,
              -- Counted with a filter: an index of what is pending would be read as a whole.
              (SELECT count(*) FILTER (WHERE later.state = 'pending') FROM deliveries AS later
                WHERE later.message_id = deliveries.message_id
                  AND later.delivery_id <> deliveries.delivery_id) = 0 AS is_last,
              -- What is answered is quoted only where something newer stands below it.
              CASE WHEN deliveries.part = 1
                    AND (SELECT newer.id FROM inbound_messages AS newer
                          WHERE newer.customer_id = customer.customer_id AND newer.status = 'pending'
                          LIMIT 1) IS NOT NULL
                   THEN (SELECT answered.provider_message_id FROM messages AS answered
                          WHERE answered.turn_id = customer.turn_id AND answered.author = 'customer'
                          ORDER BY answered.sequence_no DESC
                          LIMIT 1) END AS reply_to
"""  # noqa: S608  (columns, all our own words)

# The last part was sent, and the turn is done: what `finish_sending`, `statuses.refresh` and `close` do, at
# once. Locks are taken in the order of all locks: inbox, turn, message, delivery. Nothing is done where
# another delivery of the message did not arrive.
FINISH_SQL = """
    WITH posted AS MATERIALIZED (
        SELECT *
          FROM jsonb_to_recordset(%(posted)s) AS posted (
                   turn varchar, token uuid, message varchar, delivery varchar, provider text)),
    taken AS MATERIALIZED (
        SELECT id, inbound_messages.turn_id
          FROM inbound_messages
         WHERE turn_id = ANY(ARRAY(SELECT turn FROM posted))
         ORDER BY id FOR NO KEY UPDATE),
    turn AS MATERIALIZED (
        SELECT turns.turn_id
          FROM turns JOIN posted ON posted.turn = turns.turn_id
         WHERE (SELECT count(*) FROM taken) >= 0
           AND turns.turn_id = ANY(ARRAY(SELECT turn FROM posted))
           AND turns.lease_token = posted.token AND turns.state = 'answered' AND turns.error = ''
         ORDER BY turns.turn_id
           FOR UPDATE OF turns),
    message AS MATERIALIZED (
        SELECT messages.message_id, posted.*
          FROM posted
          JOIN turn ON turn.turn_id = posted.turn
          JOIN messages ON messages.message_id = posted.message
         WHERE messages.message_id = ANY(ARRAY(SELECT message FROM posted))
           AND NOT EXISTS (SELECT 1 FROM deliveries AS other
                            WHERE other.message_id = posted.message AND other.delivery_id <> posted.delivery
                              AND other.state NOT IN ('sent', 'delivered', 'read'))
         ORDER BY messages.message_id
           FOR UPDATE OF messages),
    delivery AS (
        UPDATE deliveries
           SET state = CASE WHEN state IN ('sending', 'unknown') THEN 'sent' ELSE state END,
               provider_message_id = COALESCE(deliveries.provider_message_id, message.provider),
               error = '', updated_at = statement_timestamp()
          FROM message
         WHERE deliveries.delivery_id = ANY(ARRAY(SELECT delivery FROM message))
           AND deliveries.delivery_id = message.delivery AND deliveries.lease_token = message.token
        RETURNING message.turn, message.message),
    sent AS (
        UPDATE messages
           SET status = 'sent', failure_reason = '', unknown_at = NULL, unknown_reported_at = NULL
          FROM delivery
         WHERE messages.message_id = ANY(ARRAY(SELECT message FROM delivery))
           AND messages.message_id = delivery.message AND messages.status IN ('pending', 'unknown')
        RETURNING messages.message_id),
    inbox AS (
        UPDATE inbound_messages SET status = 'done', reason = ''
         WHERE id = ANY(ARRAY(SELECT taken.id FROM taken JOIN delivery ON delivery.turn = taken.turn_id)))
    UPDATE turns SET state = 'done', closed_at = statement_timestamp()
      FROM delivery
     WHERE turns.turn_id = ANY(ARRAY(SELECT turn FROM delivery)) AND turns.turn_id = delivery.turn
    RETURNING turns.turn_id,
              EXISTS (SELECT 1 FROM sent WHERE sent.message_id = delivery.message) AS is_sent
"""

# The numbers on which a message waits that may have to be answered now.
WAITING_NUMBERS_SQL = """
    SELECT number.phone_number_id
      FROM unnest(%(numbers)s::varchar[]) AS number (phone_number_id)
     CROSS JOIN LATERAL (
           SELECT message.id
             FROM inbound_messages AS message JOIN customers USING (customer_id)
            -- BETWEEN: see HEADS_SQL.
            WHERE message.phone_number_id BETWEEN number.phone_number_id AND number.phone_number_id
              AND message.status = 'pending' AND customers.due_at <= statement_timestamp()
            ORDER BY message.phone_number_id, message.id
            LIMIT 1) AS waiting
"""
