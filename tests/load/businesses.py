"""The businesses whose numbers are written to: a user, credits, a prompt, a number and an agent each."""

from django.conf import settings

from tests.load import plan
from tests.load.system import System

_CREDITS = 1_000_000
_ROWS = """
    WITH u AS (INSERT INTO users (user_id, email, company_name, timezone, created_at)
               VALUES (%(key)s, %(email)s, 'Bench', 'UTC', now())),
         c AS (INSERT INTO credits (user_id, remaining_credits, last_updated)
               VALUES (%(key)s, %(credits)s, now())),
         e AS (INSERT INTO credit_entries
                      (user_id, kind, amount, reference, reason, balance_after, created_at)
               VALUES (%(key)s, 'grant', %(credits)s, %(key)s, '', %(credits)s, now())),
         n AS (INSERT INTO phone_numbers (phone_number_id, user_id, type, external_number, access_token,
                                          display_name, created_at)
               VALUES (%(number)s, %(key)s, 'whatsapp', %(shown)s, %(token)s, '', now())),
         p AS (INSERT INTO prompts (prompt_id, user_id, name, current_version, created_at)
               VALUES (%(key)s, %(key)s, 'Bench', 1, now())),
         v AS (INSERT INTO prompt_versions (prompt_id, number, instructions, model, parameters, created_at)
               VALUES (%(key)s, 1, %(instructions)s, '', '{}', now()))
    INSERT INTO agents (agent_id, user_id, phone_number_id, prompt_id, name, fallback_message, created_at)
    VALUES (%(key)s, %(key)s, %(number)s, %(key)s, 'Bench', 'Sorry, later.', now())
"""
_INSTRUCTIONS = "You answer the customers of a bakery. Be kind and brief, and never invent prices. " * 5


def insert(system: System, *, count: int) -> None:
    """Insert businesses with one number each, their tokens encrypted as the system can read them."""
    # All that encryption needs to know of Django's settings; the measured processes have their own.
    if not settings.configured:
        settings.configure()
    settings.FIELD_ENCRYPTION_KEYS = [system.environment["FIELD_ENCRYPTION_KEY"]]
    from config.lib import crypto

    with system.database() as database, database.transaction(), database.cursor() as cursor:
        cursor.executemany(
            _ROWS,
            [
                {
                    "key": f"bench{index:05d}",
                    "email": f"bench{index:05d}@example.com",
                    "number": number.phone_number_id,
                    "shown": f"+1415{index:07d}",
                    "token": crypto.encrypt(
                        "EAAbenchtoken", context=f"phone_numbers:access_token:{number.phone_number_id}"
                    ),
                    "credits": _CREDITS,
                    "instructions": _INSTRUCTIONS,
                }
                for index in range(count)
                for number in [plan.number(index)]
            ],
        )
