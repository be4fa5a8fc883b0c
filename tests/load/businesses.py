"""The businesses that are written to: a user, credits and a prompt each, and numbers with an agent each."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.test.utils import override_settings

from tests.load import plan
from tests.load.system import System

_CREDITS = 1_000_000
_INSTRUCTIONS = "You answer the customers of a bakery. Be kind and brief, and never invent prices. " * 5
_BUSINESS_SQL = """
    WITH u AS (INSERT INTO users (user_id, email, company_name, timezone, created_at)
               VALUES (%(key)s, %(email)s, 'Bench', 'UTC', now())),
         c AS (INSERT INTO credits (user_id, remaining_credits, last_updated)
               VALUES (%(key)s, %(credits)s, now())),
         e AS (INSERT INTO credit_entries
                      (user_id, kind, amount, reference, reason, balance_after, created_at)
               VALUES (%(key)s, 'grant', %(credits)s, %(key)s, '', %(credits)s, now())),
         p AS (INSERT INTO prompts (prompt_id, user_id, name, current_version, created_at)
               VALUES (%(key)s, %(key)s, 'Bench', 1, now()))
    INSERT INTO prompt_versions (prompt_id, number, instructions, model, parameters, created_at)
    VALUES (%(key)s, 1, %(instructions)s, '', '{}', now())
"""
_NUMBER_SQL = """
    WITH n AS (INSERT INTO phone_numbers (phone_number_id, user_id, type, external_number, access_token,
                                          display_name, created_at)
               VALUES (%(number)s, %(owner)s, 'whatsapp', %(shown)s, %(token)s, '', now()))
    INSERT INTO agents (agent_id, user_id, phone_number_id, prompt_id, name, fallback_message, created_at)
    VALUES (%(key)s, %(owner)s, %(number)s, %(owner)s, 'Bench', 'Sorry, later.', now())
"""
_HAS_DISCLOSURE_SQL = """
    SELECT 1 FROM information_schema.columns WHERE table_name = 'agents' AND column_name = 'disclosure'
"""


def prepare(system: System, owners: Sequence[int]) -> None:
    """Insert businesses and their numbers into the database of a system."""
    with system.database() as database:
        insert(database, system.environment["FIELD_ENCRYPTION_KEY"], owners)


def each_with_its_own_number(count: int) -> list[int]:
    """Return the owners of `count` numbers, if every business has one."""
    return list(range(count))


def insert(database: psycopg.Connection[Any], encryption_key: str, owners: Sequence[int]) -> None:
    """Insert businesses and their numbers; `owners` has the place of the business for each number."""
    with database.transaction(), database.cursor() as cursor:
        cursor.executemany(_BUSINESS_SQL, [_business(place) for place in sorted(set(owners))])
        cursor.executemany(_NUMBER_SQL, _numbers(owners, encryption_key))
        # Earlier revisions have no such column; no revision is to put a sentence before its first reply.
        if cursor.execute(_HAS_DISCLOSURE_SQL).fetchone():
            keys = [_key(place) for place in range(len(owners))]
            cursor.execute("UPDATE agents SET disclosure = '' WHERE agent_id = ANY (%s)", [keys])


def _business(place: int) -> dict[str, object]:
    return {
        "key": _key(place),
        "email": f"{_key(place)}@example.com",
        "credits": _CREDITS,
        "instructions": _INSTRUCTIONS,
    }


def _numbers(owners: Sequence[int], encryption_key: str) -> list[dict[str, str]]:
    """Return the rows of numbers, with access tokens that the system can decrypt."""
    if not settings.configured:
        settings.configure()
    from config.lib import crypto

    # All that encryption needs to know of Django's settings; the measured processes have their own.
    with override_settings(FIELD_ENCRYPTION_KEYS=[encryption_key]):
        return [
            {
                "key": _key(place),
                "owner": _key(owner),
                "number": number_id,
                "shown": f"+1415{place:07d}",
                "token": crypto.encrypt("EAAbenchtoken", context=f"phone_numbers:access_token:{number_id}"),
            }
            for place, owner in enumerate(owners)
            for number_id in [plan.number(place).phone_number_id]
        ]


def _key(place: int) -> str:
    return f"bench{place:05d}"
