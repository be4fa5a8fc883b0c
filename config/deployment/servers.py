"""
Checks that ask Postgres and Redis: settings of the session, the eviction policy, and the demo's credentials.

They use connections of their own, with short timeouts: the pool would wait for a server that is away.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning  # noqa: A004  (Django's name)
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.deployment import demo_guard
from config.lib.demo_credentials import Cursor

# libpq knows no less than two.
_CONNECT_SECONDS = 2
POSTGRES_AWAY = "config.I001"
_ANSWER_MS = 2000
_SETTINGS_SQL = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name"


def check_postgres() -> list[CheckMessage]:
    """Check the demo's credentials and the session's settings; an unreachable Postgres is only noted."""
    if not settings.DATABASES["default"]:
        return []
    try:
        with _cursor() as cursor:
            messages = _check_session(cursor)
            # A migration may hold the tables. SET LOCAL, as a pooler keeps a session for others.
            with cursor.connection.transaction():
                cursor.execute(f"SET LOCAL lock_timeout = {_ANSWER_MS}")
                return [*demo_guard.check(cursor), *messages]
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        if "startup parameter" in reason:
            text = f"The pooler in front of Postgres refuses the connection: {reason}"
            hint = "Set DATABASE_SESSION_OPTIONS=false (see PgBouncer in documentation/checks.md)."
            return [Error(text, hint=hint, id="config.E016")]
        return [Info(f"Postgres was not asked: {reason}", id=POSTGRES_AWAY)]


def check_redis() -> list[CheckMessage]:
    """Check that Redis evicts nothing: webhooks wait there while Postgres is away."""
    if not settings.REDIS_URL:
        return []
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        ) as client:
            policy = str(client.info("memory").get("maxmemory_policy", ""))
    except (redis.RedisError, OSError, ValueError) as error:
        return [Info(f"Redis was not asked: {type(error).__name__}", id="config.I002")]
    if policy in {"", "noeviction"}:
        return []
    text = f"Redis evicts keys when memory is full (maxmemory-policy {policy}): waiting webhooks are lost."
    return [Warning(text, hint="Set `maxmemory-policy noeviction`.", id="config.W008")]


def _check_session(cursor: Cursor) -> list[CheckMessage]:
    wanted = settings.DATABASE_SESSION
    cursor.execute(_SETTINGS_SQL, [list(wanted)])
    differing = [
        f"{name} is {value}, not {wanted[name]}" for name, value in cursor.fetchall() if value != wanted[name]
    ]
    if not differing:
        return []
    role = connection.settings_dict["USER"] or "the role"
    statements = " ".join(f"ALTER ROLE {role} SET {name} = '{value}';" for name, value in wanted.items())
    return [
        Warning(
            f"Sessions of Postgres do not have the settings of this service: {'; '.join(differing)}.",
            hint=f"A pooler drops them. Set them on the role: {statements}",
            id="config.W007",
        )
    ]


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor]:
    parameters = connection.get_connection_params()
    parameters |= {"connect_timeout": _CONNECT_SECONDS, "autocommit": True, "prepare_threshold": None}
    with psycopg.connect(**parameters) as opened:
        yield opened.cursor()
