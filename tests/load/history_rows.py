"""
The SQL that fills in a history: exchanges of a customer's message and a reply, with all rows they leave.

Its columns exist in every revision that the benchmark can compare with; all others have defaults.
"""

_DIGITS = " || ".join(
    f"substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (milliseconds >> {shift} & 31)::int + 1, 1)"
    for shift in range(45, -1, -5)
)
# A prefixed ULID: ten characters of time, sixteen of a hash, whose hexadecimal digits are base32 digits, too.
MADE_ID_SQL = f"""
    CREATE FUNCTION pg_temp.made_id(prefix text, milliseconds bigint, n bigint) RETURNS text
    LANGUAGE sql AS $$
        SELECT prefix || '_' || {_DIGITS} || upper(substr(md5(prefix || n), 1, 16))
    $$
"""
# The customers and conversations, spread over the numbers.
PERSONS_SQL = """
    CREATE TEMPORARY TABLE persons ON COMMIT DROP AS
    WITH place AS (
        SELECT row_number() OVER (ORDER BY phone_number_id) - 1 AS n, count(*) OVER () AS numbers,
               phone_number_id, agents.user_id, agent_id, prompt_id, company_name, timezone
          FROM agents JOIN users USING (user_id)
         WHERE phone_number_id IS NOT NULL)
    SELECT c, place.*, '1303' || lpad(c::text, 7, '0') AS wa_id,
           'US.1303' || lpad(c::text, 16, '0') AS bsuid,
           pg_temp.made_id('cus', %(start_ms)s, c) AS customer_id,
           pg_temp.made_id('cnv', %(start_ms)s, c) AS conversation_id
      FROM generate_series(0::bigint, %(conversations)s::bigint - 1) AS c
      JOIN place ON place.n = c %% place.numbers
"""
# Each conversation has one at least; of the others, most are in few long conversations, as in life.
EXCHANGES_SQL = """
    CREATE TEMPORARY TABLE exchanges ON COMMIT DROP AS
    WITH drawn AS (
        SELECT e, %(start)s + e * %(step)s AS at, (%(start_ms)s + e * %(step_ms)s)::bigint AS ms,
               CASE WHEN e < %(conversations)s::bigint THEN e
                    ELSE floor(%(conversations)s::bigint * power(share, 2))
               END::bigint AS c
          FROM generate_series(0::bigint, %(exchanges)s::bigint - 1) AS e
         CROSS JOIN LATERAL (
               SELECT (hashint8(e)::bigint & 2147483647) / 2147483648.0 AS share) AS dice),
    identified AS (
        SELECT drawn.*, row_number() OVER (PARTITION BY c ORDER BY e) AS place,
               pg_temp.made_id('trn', ms, e) AS turn_id, pg_temp.made_id('msg', ms, 2 * e) AS question_id,
               pg_temp.made_id('msg', ms + 1000, 2 * e + 1) AS reply_id,
               pg_temp.made_id('dlv', ms + 1000, e) AS delivery_id, md5('exchange' || e) AS hash
          FROM drawn)
    SELECT identified.*, persons.phone_number_id, user_id, agent_id, prompt_id, company_name, timezone,
           wa_id, bsuid, customer_id, conversation_id,
           'wamid.HBgLMTMwMzAwMDAwMBUCABIYFDNB' || upper(hash) AS question_wamid,
           'wamid.HBgLMTMwMzAwMDAwMBUCABEYEjRD' || upper(hash) AS reply_wamid,
           'Hello, this is about order ' || e || '. Do you bake rye bread, and until when are you open?'
               AS question,
           'Thank you for asking about order ' || e || '. Yes, we bake rye bread every morning, and the '
               || 'shop is open until six. Would you like me to put a loaf aside for you?' AS reply
      FROM identified JOIN persons USING (c)
"""
_CUSTOMERS_SQL = """
    INSERT INTO customers (customer_id, phone_number_id, wa_id, bsuid, username, name, created_at)
    SELECT customer_id, phone_number_id, wa_id, bsuid, '', 'Customer ' || c, %(start)s FROM persons
"""
_CONVERSATIONS_SQL = """
    INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                               openai_conversation_id, openai_last_item_id, last_sequence_no, is_active,
                               created_at, last_message_at)
    SELECT conversation_id, user_id, agent_id, customer_id, '+' || wa_id, 'conv_' || md5('conversation' || c),
           'msg_' || md5('item' || c), 2 * count(*), true, min(at), max(at)
      FROM exchanges
     GROUP BY conversation_id, user_id, agent_id, customer_id, wa_id, c
"""
# Filled in before anything else has used the sequence: the ids of the inbox are the numbers of the exchanges.
_INBOX_SQL = """
    INSERT INTO inbound_messages (id, phone_number_id, customer_id, provider_message_id, kind, text, payload,
                                  status, reason, turn_id, sent_at, received_at, correlation_id)
    SELECT e + 1, phone_number_id, customer_id, question_wamid, 'text', question,
           jsonb_build_object('from', wa_id, 'from_user_id', bsuid, 'id', question_wamid, 'type', 'text',
                              'timestamp', extract(epoch FROM at)::bigint::text,
                              'text', jsonb_build_object('body', question)),
           'done', '', turn_id, at, at, hash
      FROM exchanges
     ORDER BY e
"""
_INBOX_SEQUENCE_SQL = """
    SELECT setval(sequence, greatest(max(id), nextval(sequence)))
      FROM inbound_messages, pg_get_serial_sequence('inbound_messages', 'id') AS sequence
     GROUP BY sequence
"""
_TURNS_SQL = """
    INSERT INTO turns (turn_id, phone_number_id, customer_id, conversation_id, state, lease_token,
                       lease_expires_at, deadline_at, attempts, snapshot, error, created_at, answered_at,
                       closed_at)
    SELECT turn_id, phone_number_id, customer_id, conversation_id, 'done', hash::uuid,
           at + interval '30 seconds', at + interval '120 seconds', 0,
           jsonb_build_object('user_id', user_id, 'agent_id', agent_id, 'prompt_id', prompt_id,
                              'prompt_version', 1, 'channel', 'whatsapp', 'fallback_message', 'Sorry, later.',
                              'handover_enabled', false, 'handover_message', '', 'disclosure', '',
                              'customer_name', 'Customer ' || c, 'business_name', company_name,
                              'timezone', timezone, 'price', 1, 'correlation_id', hash),
           '', at, at + interval '1 second', at + interval '1.1 seconds'
      FROM exchanges
     ORDER BY e
"""
_MESSAGES_SQL = """
    INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, turn_id, inbound_id, sender,
                          author, kind, text, provider_message_id, timestamp, status, sequence_no,
                          failure_reason, tokens_used, openai_response_id, openai_item_ids)
    SELECT spoken.message_id, user_id, conversation_id, phone_number_id, turn_id, spoken.inbound_id,
           spoken.sender, spoken.author, 'text', spoken.text, spoken.provider_message_id, spoken.timestamp,
           spoken.status, spoken.sequence_no, '', spoken.tokens, spoken.response, spoken.items
      FROM exchanges
     CROSS JOIN LATERAL (
        VALUES (question_id, e + 1, 'user', 'customer', question, question_wamid, at, 'delivered',
                2 * place - 1, 0, '', '[]'::jsonb),
               (reply_id, NULL, 'agent', 'ai', reply, '', at + interval '1 second', 'read',
                2 * place, 350, 'resp_' || hash, jsonb_build_array('msg_' || hash)))
        AS spoken (message_id, inbound_id, sender, author, text, provider_message_id, timestamp, status,
                   sequence_no, tokens, response, items)
     ORDER BY e
"""
_DELIVERIES_SQL = """
    INSERT INTO deliveries (delivery_id, message_id, phone_number_id, attempt, part, text, state,
                            provider_message_id, error, created_at, sending_at, updated_at)
    SELECT delivery_id, reply_id, phone_number_id, 1, 1, reply, 'read', reply_wamid, '',
           at + interval '1 second', at + interval '1 second', at + interval '2 seconds'
      FROM exchanges
     ORDER BY e
"""
_EVENTS_SQL = """
    INSERT INTO channel_events (phone_number_id, kind, event_key, provider_message_id, callback_data, person,
                                data, payload, occurred_at, received_at, apply_after, applied_at, outcome,
                                correlation_id)
    SELECT phone_number_id, 'status', encode(sha256((reply_wamid || ':' || status)::bytea), 'hex'),
           reply_wamid, delivery_id,
           jsonb_build_object('wa_id', wa_id, 'bsuid', bsuid, 'ig_id', null, 'name', 'Customer ' || c,
                              'username', '', 'visitor_id', null),
           jsonb_build_object('status', status, 'error', ''),
           jsonb_build_object('id', reply_wamid, 'status', status, 'recipient_id', wa_id,
                              'recipient_user_id', bsuid, 'biz_opaque_callback_data', delivery_id,
                              'timestamp', extract(epoch FROM at + after)::bigint::text,
                              'pricing', jsonb_build_object('billable', false, 'pricing_model', 'PMP',
                                                            'type', 'free_customer_service',
                                                            'category', 'service')),
           at + after, at + after, at + after, at + after + interval '100 milliseconds', 'applied',
           md5(hash || status)
      FROM exchanges
     CROSS JOIN (VALUES ('sent', interval '1.2 seconds'), ('delivered', interval '1.5 seconds'),
                        ('read', interval '2 seconds')) AS step (status, after)
     ORDER BY e, after
"""
# A grant for as many replies as the history has; so every balance is afterwards what it was before.
_GRANTS_SQL = """
    INSERT INTO credit_entries (user_id, kind, amount, reference, reason, balance_after, created_at)
    SELECT user_id, 'grant', count(*), 'history:' || user_id, '', remaining_credits + count(*), %(start)s
      FROM exchanges JOIN credits USING (user_id)
     GROUP BY user_id, remaining_credits
     ORDER BY user_id
"""
_CHARGES_SQL = """
    INSERT INTO credit_entries (user_id, kind, amount, reference, reason, balance_after, created_at)
    SELECT user_id, 'charge', -1, turn_id, '',
           remaining_credits + count(*) OVER (PARTITION BY user_id)
                             - row_number() OVER (PARTITION BY user_id ORDER BY e), at
      FROM exchanges JOIN credits USING (user_id)
     ORDER BY e
"""
FILLING_SQL = (
    _CUSTOMERS_SQL,
    _CONVERSATIONS_SQL,
    _INBOX_SQL,
    _INBOX_SEQUENCE_SQL,
    _TURNS_SQL,
    _MESSAGES_SQL,
    _DELIVERIES_SQL,
    _EVENTS_SQL,
    _GRANTS_SQL,
    _CHARGES_SQL,
)
