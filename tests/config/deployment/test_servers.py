"""Postgres and Redis are asked whether they are set up as the service needs them."""

import secrets
import socket
import threading

import pytest
from django.db import connection

from config.deployment import servers

# SSLRequest and GSSENCRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html
ENCRYPTION_REQUESTS = {80877103, 80877104}


def ids(messages) -> list[str]:
    return [message.id for message in messages]


@pytest.fixture
def role(transactional_db):
    """A role of the database as it is behind a pooler: its connections bring no settings."""
    name = f"pooled_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN SUPERUSER")
    yield name
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {name}")


@pytest.fixture
def pooled(role, monkeypatch):
    """Connections of that role."""
    parameters = {**connection.settings_dict["OPTIONS"], "options": ""}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", parameters)
    monkeypatch.setitem(connection.settings_dict, "USER", role)
    return role


def refuse_options(listener: socket.socket) -> None:
    """Answer one client as PgBouncer answers whoever sends `options`."""
    client, _ = listener.accept()
    with client:
        while int.from_bytes(client.recv(8)[4:]) in ENCRYPTION_REQUESTS:
            client.sendall(b"N")
        fields = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
        client.sendall(b"E" + (len(fields) + 4).to_bytes(4) + fields)


@pytest.fixture
def pooler(transactional_db):
    """The port of a pooler that refuses our options."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse_options, args=[listener], daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)


class TestPostgres:
    def test_with_our_settings_is_fine(self, transactional_db):
        assert servers.check_postgres() == []

    def test_whose_sessions_lack_our_settings_is_found(self, pooled, settings):
        (found,) = servers.check_postgres()

        assert found.id == "config.W007"
        for name, value in settings.DATABASE_SESSION.items():
            assert f"not {value}" in found.msg
            assert f"ALTER ROLE {pooled} SET {name} = '{value}';" in found.hint

    def test_is_fine_once_the_role_has_the_settings_as_the_hint_says(self, pooled):
        (found,) = servers.check_postgres()
        with connection.cursor() as cursor:
            cursor.execute(found.hint[found.hint.index("ALTER ROLE") :])

        assert servers.check_postgres() == []

    def test_that_is_away_is_noted_only(self, transactional_db, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")

        (found,) = servers.check_postgres()

        assert found.id == servers.POSTGRES_AWAY

    def test_without_session_options_gets_a_connection_that_sends_none(self, run_python):
        script = (
            "from config import settings; print(repr(settings.DATABASES['default']['OPTIONS']['options']))"
        )

        ended = run_python("-c", script, APP_ENV="test", DATABASE_SESSION_OPTIONS="false")

        assert ended.stdout == "''\n", ended.stderr

    def test_behind_a_pooler_that_refuses_our_options_is_an_error(self, pooler, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", str(pooler))

        (found,) = servers.check_postgres()

        assert (found.id, found.is_serious()) == ("config.E016", True)
        assert "DATABASE_SESSION_OPTIONS=false" in found.hint


class TestRedis:
    @pytest.fixture
    def policy(self, valkey):
        before = valkey.config_get("maxmemory-policy")["maxmemory-policy"]
        yield lambda policy: valkey.config_set("maxmemory-policy", policy)
        valkey.config_set("maxmemory-policy", before)

    def test_that_evicts_nothing_is_fine(self, policy):
        policy("noeviction")

        assert servers.check_redis() == []

    @pytest.mark.parametrize("name", ["allkeys-lru", "volatile-ttl"])
    def test_that_evicts_is_found(self, policy, name):
        policy(name)

        (found,) = servers.check_redis()

        assert found.id == "config.W008"
        assert name in found.msg

    def test_that_is_away_is_noted_only(self, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        assert ids(servers.check_redis()) == ["config.I002"]
