"""The statements of a claim. `%(numbers)s` are the numbers whose claim lock the transaction holds."""

# The numbers on which nobody else claims: they are locked until the transaction ends.
HOW_NUMBERS_ARE_SERVED_SQL = """
    SELECT woken.phone_number_id,
           (SELECT agents.agent_id
              FROM agents JOIN phone_numbers AS number USING (phone_number_id)
             WHERE agents.phone_number_id = woken.phone_number_id AND agents.deleted_at IS NULL
               AND number.deleted_at IS NULL
             LIMIT 1) IS NOT NULL AS has_agent
      FROM unnest(%(keys)s::int[], %(numbers)s::varchar[]) AS woken (key, phone_number_id)
     WHERE pg_try_advisory_xact_lock(%(lock)s, woken.key)
"""

# A holder that handed its turn back left no token, and does not count.
RESUME_SQL = """
    UPDATE turns
       SET attempts = attempts + (turns.lease_token IS NOT NULL AND state = 'claimed')::int,
           lease_token = gen_random_uuid(),
           lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s),
           deadline_at = statement_timestamp() + make_interval(secs => %(deadline)s),
           not_before = NULL
     WHERE turn_id IN (SELECT turn_id
                         FROM turns
                        WHERE phone_number_id = ANY(%(numbers)s::varchar[])
                          AND closed_at IS NULL
                          AND lease_expires_at <= statement_timestamp()
                          AND (not_before IS NULL OR not_before <= statement_timestamp())
                          AND (attempts + (lease_token IS NOT NULL AND state = 'claimed')::int
                               >= %(quarantined_after)s) = %(quarantined)s
                        ORDER BY turn_id
                        LIMIT %(most)s)
       AND lease_expires_at <= statement_timestamp()
    RETURNING turn_id, phone_number_id, customer_id, conversation_id, state, attempts, drafts, snapshot,
              lease_token::text
"""

# Of each number the due customers without an open turn, in the order of their oldest waiting message and as
# many as the number has free slots; together the first %(most)s of them, businesses and numbers in turn.
HEADS_SQL = """
    WITH listed AS MATERIALIZED (
        SELECT number.phone_number_id, number.user_id,
               -- Whose turn is open; there are as many as the number may have, at most.
               ARRAY(SELECT turns.customer_id FROM turns
                      WHERE turns.phone_number_id = number.phone_number_id
                        AND turns.closed_at IS NULL) AS answered
          FROM unnest(%(numbers)s::varchar[]) AS listed (phone_number_id)
          JOIN phone_numbers AS number USING (phone_number_id)),
    woken AS MATERIALIZED (
        SELECT *, LEAST(%(most)s, %(concurrency)s - cardinality(answered)) AS free FROM listed),
    waiting AS (
        SELECT woken.phone_number_id, woken.user_id, woken.free, message.customer_id,
               min(message.id) AS id, sum(count(*)) OVER (PARTITION BY woken.phone_number_id) AS messages
          FROM woken
         CROSS JOIN LATERAL (
               SELECT inbound.id, inbound.customer_id
                 FROM inbound_messages AS inbound
                 JOIN customers AS customer USING (customer_id)
                -- BETWEEN, and not `=`: sorted by both columns, rows come from their index only. Sorted by id
                -- alone, they may be looked for along the primary key, past all that was ever written.
                WHERE inbound.phone_number_id BETWEEN woken.phone_number_id AND woken.phone_number_id
                  AND inbound.status = 'pending'
                  AND customer.due_at <= statement_timestamp()
                  AND (%(customer)s::varchar IS NULL OR inbound.customer_id = %(customer)s::varchar)
                  AND NOT inbound.customer_id = ANY(woken.answered)
                ORDER BY inbound.phone_number_id, inbound.id
                LIMIT GREATEST(woken.free, 0)) AS message
         GROUP BY woken.phone_number_id, woken.user_id, woken.free, message.customer_id),
    in_number AS (
        SELECT *, row_number() OVER (PARTITION BY phone_number_id ORDER BY id) AS place FROM waiting),
    in_business AS (
        SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY place, id) AS round FROM in_number),
    head AS (
        SELECT *, count(*) OVER () > %(most)s AS is_cut, messages >= free AS is_full
          FROM in_business
         ORDER BY round, id
         LIMIT %(most)s)
    SELECT EXTRACT(epoch FROM statement_timestamp() - customer.due_at)::float8 AS waited,
           customer.customer_id, head.phone_number_id, head.is_cut, head.is_full, number.user_id,
           number.created_at AS registered_at,
           COALESCE(customer.paused_until > statement_timestamp(), false) AS is_paused,
           (SELECT count(*) FROM turns
             WHERE turns.customer_id = customer.customer_id AND turns.state = 'done'
               AND turns.created_at > statement_timestamp() - make_interval(secs => %(window)s)) AS answered,
           agent.agent_id, agent.prompt_id, agent.fallback_message, agent.handover_enabled,
           agent.handover_message, agent.unavailable_message, agent.disclosure, number.type AS channel,
           -- None where the prompt is not the user's own: then it can only be one of OpenAI's dashboard.
           CASE WHEN prompt.prompt_id IS NOT NULL
                THEN COALESCE(agent.prompt_version, prompt.current_version) END AS prompt_version,
           COALESCE(customer.wa_id, customer.bsuid, customer.ig_id, customer.visitor_id) AS address,
           customer.name AS customer_name, business.company_name AS business_name, business.timezone
      FROM head
      JOIN customers AS customer USING (customer_id)
      JOIN phone_numbers AS number ON number.phone_number_id = head.phone_number_id
      JOIN users AS business ON business.user_id = number.user_id
      JOIN agents AS agent ON agent.phone_number_id = head.phone_number_id AND agent.deleted_at IS NULL
      LEFT JOIN prompts AS prompt ON prompt.prompt_id = agent.prompt_id AND prompt.user_id = agent.user_id
     ORDER BY head.round, head.id
"""

# The conversations are locked by now, and customers come before conversations in the order of all locks: so
# this waits for nobody. If a customer's row is taken, their next message brings the notice.
TELL_ONCE_A_DAY_SQL = """
    UPDATE customers SET told_unavailable_at = statement_timestamp()
     WHERE customer_id IN (
           SELECT customer_id FROM customers
            WHERE customer_id = ANY(%s::varchar[])
              AND (told_unavailable_at IS NULL
                   OR told_unavailable_at < statement_timestamp() - interval '1 day')
              FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING customer_id
"""

PUT_ASIDE_SQL = """
    UPDATE inbound_messages SET status = 'failed', reason = %(reason)s
     WHERE customer_id = %(customer)s AND status = 'pending'
"""
