"""Fills the tables of a business with as many messages as it has after years, in SQL, and those of others."""

from dataclasses import dataclass

from django.db import connection

_CHUNK = 100_000
_NUMBERS = 20
RARE_WORD = "zanzibar"
COMMON_WORD = "hello"
ABSENT_WORD = "xylophone"


@dataclass(frozen=True)
class Filled:
    """A business with `count` messages and the ids of what its lists are narrowed to."""

    user_id: str
    count: int

    @property
    def conversations(self) -> int:
        return max(self.count // 50, 100)

    def number(self, n: int) -> str:
        return f"{self.user_id}-n{n}"

    @property
    def busy_number(self) -> str:
        """Give the number of half of all that was said."""
        return self.number(0)

    @property
    def rare_number(self) -> str:
        """Give the number on which 100 messages were said, long ago."""
        return self.number(_NUMBERS)

    @property
    def long_conversation(self) -> str:
        """Give the conversation that every tenth message is in."""
        return f"{self.user_id}-c0"

    @property
    def customer_phone(self) -> str:
        """Give the customer who said a few thousand of a million."""
        return f"{self.user_id}-p1"


def fill(user_id: str, *, count: int) -> Filled:
    """Fill in one business."""
    filled = Filled(user_id, count)
    with connection.cursor() as cursor:
        # What serves requests has 15 s for a statement.
        cursor.execute("SET statement_timeout = 0")
        given: dict[str, str | int] = {
            "user": user_id,
            "numbers": _NUMBERS,
            "talks": filled.conversations,
            "count": count,
        }
        for statement in (_USER, _PLACES, _CUSTOMERS, _TALKS):
            cursor.execute(statement, given)
        for first in range(0, count, _CHUNK):
            last = min(first + _CHUNK, count) - 1
            cursor.execute(_MESSAGES, {**given, "first": first, "last": last})
        cursor.execute("RESET statement_timeout")
    return filled


def look_around() -> None:
    """Let Postgres know what is there, as its autovacuum does in time."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE messages, conversations, customers")
        cursor.execute("RESET statement_timeout")


_USER = """
    INSERT INTO users (user_id, email, company_name, timezone, created_at)
    VALUES (%(user)s, %(user)s || '@example.com', 'Bench', 'UTC', now())
"""
_PLACES = """
    WITH numbers AS (
        INSERT INTO phone_numbers (phone_number_id, user_id, type, external_number, access_token,
                                   display_name, created_at)
        SELECT %(user)s || '-n' || n, %(user)s, 'whatsapp', '', '', '', now()
          FROM generate_series(0, %(numbers)s) AS n
        RETURNING phone_number_id)
    INSERT INTO agents (agent_id, user_id, phone_number_id, prompt_id, name, fallback_message, created_at)
    SELECT replace(phone_number_id, '-n', '-a'), %(user)s, phone_number_id, 'none', 'Bench', '', now()
      FROM numbers
"""
# The last talk is the only one on the rare number.
_NUMBER_OF = """CASE WHEN c = %(talks)s - 1 THEN %(numbers)s
                         WHEN c %% 2 = 0 THEN 0
                         ELSE 1 + c %% (%(numbers)s - 1) END"""
_CUSTOMERS = f"""
    INSERT INTO customers (customer_id, phone_number_id, wa_id, username, name, created_at)
    SELECT %(user)s || '-u' || c, %(user)s || '-n' || {_NUMBER_OF}, c, '', 'Customer ' || c, now()
      FROM generate_series(0, %(talks)s - 1) AS c
"""
_TALKS = f"""
    INSERT INTO conversations (conversation_id, user_id, agent_id, customer_id, customer_phone,
                               last_sequence_no, is_active, created_at, last_message_at)
    SELECT %(user)s || '-c' || c, %(user)s, %(user)s || '-a' || {_NUMBER_OF}, %(user)s || '-u' || c,
           %(user)s || '-p' || c, 0, true, now(), now()
      FROM generate_series(0, %(talks)s - 1) AS c
"""
# One in 500 failed, one in 10,000 has the rare word in it.
_MESSAGES = f"""
    INSERT INTO messages (message_id, user_id, conversation_id, phone_number_id, sender, author, text,
                          timestamp, status, sequence_no, failure_reason, failed_at, tokens_used,
                          openai_response_id)
    SELECT 'msg_' || %(user)s || lpad(m::text, 8, '0'), %(user)s, %(user)s || '-c' || c,
           %(user)s || '-n' || {_NUMBER_OF},
           CASE WHEN m %% 2 = 0 THEN 'user' ELSE 'agent' END,
           CASE WHEN m %% 2 = 0 THEN 'customer' ELSE 'ai' END,
           CASE WHEN m %% 3 = 0 THEN '{COMMON_WORD} ' ELSE '' END || md5(m::text) || ' '
               || CASE WHEN m %% 10000 = 77 THEN '{RARE_WORD} ' ELSE '' END || md5(c::text),
           timestamptz '2024-01-01 00:00Z' + m * interval '60 seconds',
           CASE WHEN m %% 500 = 1 THEN 'failed' ELSE 'delivered' END, m + 1, '',
           CASE WHEN m %% 500 = 1 THEN now() END, 10, ''
      FROM generate_series(%(first)s::int, %(last)s::int) AS m
      CROSS JOIN LATERAL (
           SELECT CASE WHEN m < 100 THEN %(talks)s - 1
                       WHEN m %% 10 = 0 THEN 0
                       WHEN m %% 150 = 1 THEN 1
                       ELSE 2 + (hashint4(m) & 2147483647) %% (%(talks)s - 3) END AS c) AS talk
"""
