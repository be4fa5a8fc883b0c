"""
The one statement that reads the state of the service from Postgres.

It reads rows that wait, by partial indexes that hold nothing else, so its cost follows what waits and not
what is stored. Each count ends at `most`: more is shown as that many. Of tables with a row per business
(credits, phone_numbers, webhook_endpoints) it reads all.
"""

SERVICE_SQL = """
WITH waiting AS MATERIALIZED (
    SELECT customer.customer_id, customer.due_at, agent.agent_id IS NOT NULL AS has_agent
      FROM (SELECT DISTINCT customer_id
              FROM (SELECT customer_id FROM inbound_messages
                     WHERE status = 'pending' ORDER BY customer_id, id LIMIT %(most)s) AS message) AS head
      JOIN customers AS customer USING (customer_id)
      LEFT JOIN agents AS agent
        ON agent.phone_number_id = customer.phone_number_id AND agent.deleted_at IS NULL
     WHERE customer.due_at <= statement_timestamp()
       AND NOT EXISTS (SELECT 1 FROM turns
                        WHERE turns.customer_id = customer.customer_id AND turns.closed_at IS NULL)),
open_turn AS MATERIALIZED (
    SELECT state, attempts, created_at,
           lease_expires_at < statement_timestamp() - interval '10 seconds'
               AND COALESCE(not_before < statement_timestamp() - interval '10 seconds', true) AS is_expired
      FROM turns WHERE closed_at IS NULL LIMIT %(most)s),
delivery AS MATERIALIZED (
    SELECT state, created_at FROM deliveries WHERE is_open ORDER BY created_at LIMIT %(most)s),
channel_event AS MATERIALIZED (
    SELECT apply_after FROM channel_events
     WHERE applied_at IS NULL AND apply_after <= statement_timestamp()
     ORDER BY apply_after, id LIMIT %(most)s),
run AS MATERIALIZED (
    SELECT status, lease_expires_at FROM extractions
     WHERE status IN ('waiting', 'running') ORDER BY lease_expires_at LIMIT %(most)s),
quiet AS MATERIALIZED (
    SELECT extract_at FROM conversations
     WHERE extract_at <= statement_timestamp() ORDER BY extract_at LIMIT %(most)s),
post AS MATERIALIZED (
    SELECT delivery.due_at, endpoint.disabled_at IS NOT NULL AS is_disabled,
           COALESCE(endpoint.paused_until > statement_timestamp(), false) AS is_paused
      FROM webhook_endpoints AS endpoint
     CROSS JOIN LATERAL (
           SELECT due_at FROM webhook_deliveries
            WHERE webhook_deliveries.endpoint_id = endpoint.endpoint_id AND state = 'pending'
            ORDER BY due_at LIMIT %(most)s) AS delivery
     WHERE endpoint.deleted_at IS NULL
     LIMIT %(most)s),
email AS MATERIALIZED (
    SELECT due_at FROM emails
     WHERE state IN ('pending', 'sending') AND due_at <= statement_timestamp()
     ORDER BY due_at LIMIT %(most)s),
letter AS MATERIALIZED (
    SELECT replayed_at FROM dead_letters ORDER BY id DESC LIMIT %(most_letters)s)
SELECT
    (SELECT count(*) FROM waiting WHERE has_agent) AS waiting_turns,
    (SELECT min(due_at) FROM waiting WHERE has_agent) AS oldest_waiting_turn,
    (SELECT count(*) FROM waiting WHERE NOT has_agent) AS customers_without_agent,
    (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM open_turn GROUP BY 1) AS t)
        AS open_turns,
    (SELECT min(created_at) FROM open_turn) AS oldest_open_turn,
    (SELECT count(*) FROM open_turn WHERE is_expired) AS expired_leases,
    (SELECT count(*) FROM open_turn WHERE attempts >= 2) AS poison_turns,
    (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM delivery GROUP BY 1) AS t)
        AS open_deliveries,
    (SELECT min(created_at) FROM delivery) AS oldest_open_delivery,
    (SELECT count(*) FROM (SELECT 1 FROM messages WHERE unknown_at IS NOT NULL LIMIT %(most)s) AS t)
        AS unknown_messages,
    (SELECT count(*) FROM (SELECT 1 FROM messages
                            WHERE failed_at > statement_timestamp() - interval '1 hour'
                            ORDER BY failed_at DESC LIMIT %(most)s) AS t)
        AS failed_messages,
    (SELECT count(*) FROM letter WHERE replayed_at IS NULL) AS dead_letters,
    (SELECT count(*) FROM channel_event) AS waiting_channel_events,
    (SELECT min(apply_after) FROM channel_event) AS oldest_channel_event,
    (SELECT jsonb_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM run GROUP BY 1) AS t)
        AS lead_runs,
    (SELECT min(lease_expires_at) FROM run) AS oldest_lead_run,
    (SELECT count(*) FROM quiet) AS quiet_conversations,
    (SELECT jsonb_object_agg(state, n) FROM (
        SELECT CASE WHEN is_disabled THEN 'disabled' WHEN is_paused THEN 'paused'
                    WHEN due_at <= statement_timestamp() THEN 'due' ELSE 'later' END AS state,
               count(*) AS n
          FROM post GROUP BY 1) AS t) AS endpoint_deliveries,
    (SELECT min(due_at) FROM post WHERE NOT is_disabled AND NOT is_paused) AS oldest_endpoint_delivery,
    (SELECT count(*) FROM webhook_endpoints WHERE disabled_at IS NOT NULL AND deleted_at IS NULL)
        AS disabled_endpoints,
    (SELECT count(*) FROM email) AS waiting_emails,
    (SELECT min(due_at) FROM email) AS oldest_email,
    (SELECT count(*) FROM credits WHERE remaining_credits < %(price)s) AS businesses_without_credits,
    (SELECT jsonb_object_agg(code, n) FROM (
        SELECT alarm_code AS code, count(*) AS n FROM phone_numbers
         WHERE deleted_at IS NULL AND alarmed_at > statement_timestamp() - interval '70 minutes'
         GROUP BY 1 ORDER BY 2 DESC LIMIT 20) AS t) AS numbers_with_errors,
    (SELECT received_at FROM inbound_messages ORDER BY id DESC LIMIT 1) AS last_message,
    (SELECT jsonb_object_agg(relname, jsonb_build_array(n_live_tup, n_dead_tup,
                                                        pg_total_relation_size(relid)))
       FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = ANY(%(tables)s)) AS tables,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::int AS max_connections,
    (SELECT min(xact_start) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest_transaction,
    statement_timestamp() AS now,
    current_setting('transaction_read_only') = 'off' AS is_writable,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transaction_ids
"""
