"""The statements of both services; each is one transaction."""

INSERT_MESSAGE_SQL = """
    INSERT INTO messages (message_id, phone_number_id, customer, body)
    VALUES (%(message_id)s, %(phone_number_id)s, %(customer)s, %(body)s)
    ON CONFLICT DO NOTHING
    RETURNING message_id
"""
STORE_STATUS_SQL = "UPDATE messages SET status = %(status)s WHERE graph_id = %(graph_id)s"
LOAD_SQL = """
    SELECT message_id, phone_number_id, customer, body, reply, sent_at, access_token, instructions, credits,
           (SELECT earlier.response_id
              FROM messages earlier
             WHERE earlier.phone_number_id = messages.phone_number_id
               AND earlier.customer = messages.customer
               AND earlier.reply IS NOT NULL
             ORDER BY earlier.replied_at DESC
             LIMIT 1) AS previous_response_id
      FROM messages
      JOIN businesses USING (phone_number_id)
     WHERE message_id = %(message_id)s
"""
# A reply is charged once: whoever stores it first also takes the credit.
STORE_REPLY_SQL = """
    WITH replied AS (
        UPDATE messages
           SET reply = %(reply)s, response_id = %(response_id)s, replied_at = now()
         WHERE message_id = %(message_id)s AND reply IS NULL
        RETURNING message_id, phone_number_id
    ), charged AS (
        INSERT INTO charges (message_id) SELECT message_id FROM replied
    )
    UPDATE businesses
       SET credits = credits - 1
      FROM replied
     WHERE businesses.phone_number_id = replied.phone_number_id
    RETURNING credits
"""
STORE_SENT_SQL = """
    UPDATE messages SET graph_id = %(graph_id)s, sent_at = now() WHERE message_id = %(message_id)s
"""
INSERT_WORKER_SQL = "INSERT INTO workers (pid) VALUES (%(pid)s)"
