"""The rows that a diagnosis reads: of one number, each by an index or within a bound."""

from typing import Any

from django.conf import settings

from config.lib import sql

# Statuses and other channel events that are looked through for the number's last one.
_MOST_EVENTS = 20_000
_MOST_COUNTED = 1_000

Facts = dict[str, Any]


def read(phone_number_id: str) -> Facts | None:
    """Return what is known of a number; None = it is not registered."""
    return sql.row(
        _FACTS_SQL,
        {
            "number": phone_number_id,
            "most": _MOST_COUNTED,
            "most_events": _MOST_EVENTS,
            "model": settings.OPENAI_MODEL,
        },
    )


# inbound_waiting_by_number, turns_open_by_number, customers_by_number (its condition is named),
# messages_failed_by_number
_FACTS_SQL = """
    SELECT number.type, number.deleted_at, number.access_token <> '' AS has_token, number.user_id,
           number.alarm_code, number.alarm_reason, number.alarmed_at, number.silent_at,
           number.created_at,
           COALESCE(credits.remaining_credits, 0) AS credits,
           (SELECT count(*) FROM api_keys
             WHERE api_keys.user_id = number.user_id AND api_keys.revoked_at IS NULL
               AND (api_keys.expires_at IS NULL OR api_keys.expires_at > statement_timestamp())) AS keys,
           agent.agent_id, agent.name AS agent_name, agent.prompt_id,
           prompt.prompt_id IS NOT NULL AS has_prompt, version.number AS version,
           COALESCE(agent.prompt_version, prompt.current_version) AS wanted_version,
           COALESCE(NULLIF(version.model, ''), %(model)s) AS model,
           (SELECT shutdown_on FROM model_shutdowns
             WHERE model_shutdowns.model = COALESCE(NULLIF(version.model, ''), %(model)s)
               AND shutdown_on <= current_date) AS model_ended_on,
           waiting.count AS waiting, waiting.oldest,
           turns.open, turns.stuck, turns.oldest AS oldest_turn,
           paused.count AS paused,
           (SELECT conversation_id FROM conversations
             WHERE conversations.customer_id = paused.customer_id AND conversations.is_active
             LIMIT 1) AS paused_conversation,
           event.at AS last_event_at,
           failed.count AS failed, failed.reason AS failure_reason,
           statement_timestamp() AS now
      FROM phone_numbers AS number
      LEFT JOIN credits USING (user_id)
      LEFT JOIN agents AS agent
        ON agent.phone_number_id = number.phone_number_id AND agent.deleted_at IS NULL
      LEFT JOIN prompts AS prompt ON prompt.prompt_id = agent.prompt_id AND prompt.user_id = number.user_id
      LEFT JOIN prompt_versions AS version
        ON version.prompt_id = prompt.prompt_id
       AND version.number = COALESCE(agent.prompt_version, prompt.current_version)
     CROSS JOIN LATERAL (
           SELECT count(*) AS count, min(received_at) AS oldest
             FROM (SELECT received_at FROM inbound_messages AS message
                    WHERE message.phone_number_id = number.phone_number_id AND message.status = 'pending'
                    ORDER BY message.id LIMIT %(most)s) AS found) AS waiting
     CROSS JOIN LATERAL (
           SELECT count(*) AS open, min(created_at) AS oldest,
                  count(*) FILTER (WHERE lease_expires_at < statement_timestamp() - interval '1 minute'
                                     AND (not_before IS NULL OR not_before < statement_timestamp())) AS stuck
             FROM (SELECT created_at, lease_expires_at, not_before FROM turns
                    WHERE turns.phone_number_id = number.phone_number_id AND turns.closed_at IS NULL
                    LIMIT %(most)s) AS found) AS turns
     CROSS JOIN LATERAL (
           SELECT count(*) AS count, min(customer_id) AS customer_id
             FROM (SELECT customer_id FROM customers
                    WHERE customers.phone_number_id = number.phone_number_id
                      AND customers.paused_until IS NOT NULL
                      AND customers.paused_until > statement_timestamp()
                    LIMIT %(most)s) AS found) AS paused
     CROSS JOIN LATERAL (
           SELECT max(received_at) AS at
             FROM (SELECT phone_number_id, received_at FROM channel_events
                    ORDER BY id DESC LIMIT %(most_events)s) AS newest
            WHERE newest.phone_number_id = number.phone_number_id) AS event
     CROSS JOIN LATERAL (
           SELECT count(*) AS count, mode() WITHIN GROUP (ORDER BY failure_reason) AS reason
             FROM (SELECT left(failure_reason, 200) AS failure_reason FROM messages AS message
                    WHERE message.phone_number_id = number.phone_number_id AND message.failed_at IS NOT NULL
                      AND message.timestamp > statement_timestamp() - interval '1 day'
                    ORDER BY message.timestamp DESC LIMIT %(most)s) AS found) AS failed
     WHERE number.phone_number_id = %(number)s
"""
