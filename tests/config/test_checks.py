"""A half-configured service says what is missing."""

import base64

import pytest

from config.checks import check_environment
from config.lib import local_secrets
from tests.config.production import PRODUCTION


def found() -> list[tuple[str, str]]:
    return [(str(message.id), message.msg) for message in check_environment()]


class TestCheck:
    def test_finds_nothing_in_a_fresh_checkout(self):
        assert found() == []

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("APP_ENV", "prod", "config.E001"),
            ("LOG_FORMAT", "xml", "config.E002"),
            ("WEBHOOK_PATH", "webhook/meta", "config.E003"),
            ("MESSAGE_QUEUE_SHARDS", 0, "config.E004"),
            ("PHONE_NUMBER_CONCURRENCY", 0, "config.E004"),
            ("REPLY_DEBOUNCE", -1, "config.E004"),
            ("REPLY_DEBOUNCE", 9000, "config.E004"),
            ("TURN_LEASE", 500, "config.E004"),
            ("REDIS_TIMEOUT_MS", 0, "config.E004"),
            ("TURN_LEASE", 120_001, "config.E004"),
            ("TURN_DEADLINE", 19_999, "config.E004"),
            ("OPENAI_MAX_RETRIES", 0, "config.E004"),
            ("WORKER_POLL_INTERVAL", 10, "config.E004"),
            ("DATABASE_POOL_SIZE", 0, "config.E004"),
            ("CREDITS_PER_REPLY", -1, "config.E004"),
            ("EXTRACTION_INTERVAL", 0, "config.E004"),
            ("FIELD_ENCRYPTION_KEYS", ["short"], "config.E005"),
            ("FIELD_ENCRYPTION_KEYS", [base64.b64encode(b"x" * 31).decode()], "config.E005"),
            ("FIELD_ENCRYPTION_KEYS", [base64.b64encode(b"x" * 32).decode(), "?"], "config.E005"),
        ],
    )
    def test_finds_each_mistake(self, settings, name, value, expected):
        setattr(settings, name, value)

        assert [message_id for message_id, _ in found()] == [expected]

    def test_names_what_is_wrong(self, settings):
        settings.MESSAGE_QUEUE_SHARDS = 0

        assert found() == [("config.E004", "MESSAGE_QUEUE_SHARDS must be from 1 to 1024.")]

    def test_finds_all_mistakes_at_once(self, settings):
        settings.APP_ENV, settings.LOG_FORMAT, settings.OPENAI_MAX_RETRIES = "prod", "xml", 0

        assert [message_id for message_id, _ in found()] == ["config.E001", "config.E002", "config.E004"]

    def test_never_shows_a_value(self, settings):
        settings.FIELD_ENCRYPTION_KEYS = ["a-secret"]

        assert "a-secret" not in str(found())


class TestProductionCheck:
    @pytest.fixture(autouse=True)
    def _complete(self, settings):
        settings.APP_ENV, settings.IS_PRODUCTION = "production", True
        settings.DJANGO_SECRET_KEY = "k" * 60
        settings.FIELD_ENCRYPTION_KEYS = [base64.b64encode(b"x" * 32).decode()]
        settings.WEBHOOK_SECRETS, settings.WEBHOOK_VERIFY_TOKEN = ["secret"], "token"
        settings.OPENAI_API_KEY, settings.ALLOWED_HOSTS = "sk-real", ["example.com"]

    def test_finds_nothing_when_all_is_set(self):
        assert found() == []

    @pytest.mark.parametrize(
        ("name", "variable", "empty"),
        [
            ("FIELD_ENCRYPTION_KEYS", "FIELD_ENCRYPTION_KEY", []),
            ("WEBHOOK_SECRETS", "WEBHOOK_SECRET", []),
            ("WEBHOOK_VERIFY_TOKEN", "WEBHOOK_VERIFY_TOKEN", ""),
            ("OPENAI_API_KEY", "OPENAI_API_KEY", ""),
            ("DATABASE_URL", "DATABASE_URL", ""),
            ("REDIS_URL", "REDIS_URL", ""),
            ("ALLOWED_HOSTS", "DJANGO_ALLOWED_HOSTS", []),
        ],
    )
    def test_finds_what_is_missing(self, settings, name, variable, empty):
        setattr(settings, name, empty)

        assert found() == [("config.E006", f"{variable} must be set in production.")]

    @pytest.mark.parametrize(
        ("name", "variable"),
        [
            ("DJANGO_SECRET_KEY", "DJANGO_SECRET_KEY"),
            ("FIELD_ENCRYPTION_KEYS", "FIELD_ENCRYPTION_KEY"),
            ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"),
            ("WEBHOOK_VERIFY_TOKEN", "WEBHOOK_VERIFY_TOKEN"),
            ("OPENAI_API_KEY", "OPENAI_API_KEY"),
        ],
    )
    def test_finds_a_secret_everybody_knows(self, settings, name, variable):
        known = local_secrets.PUBLISHED[variable]
        own = getattr(settings, name)
        setattr(settings, name, [*own, known] if isinstance(own, list) else known)

        assert found() == [("config.E007", f"{variable} still has its development value.")]

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("DEBUG", True, "config.E008"),
            ("ALLOWED_HOSTS", ["*"], "config.E009"),
            ("LOG_LEVEL", "DEBUG", "config.W001"),
            ("EXTRACTION_INTERVAL", 60_000, "config.E004"),
        ],
    )
    def test_finds_what_is_for_development_only(self, settings, name, value, expected):
        setattr(settings, name, value)

        assert [message_id for message_id, _ in found()] == [expected]


class TestCommand:
    def test_is_content_in_production_when_all_is_set(self, run_python):
        ended = run_python("manage.py", "check", "--deploy", "--fail-level", "ERROR", **PRODUCTION)

        assert ended.returncode == 0, ended.stderr

    def test_refuses_production_and_lists_all_that_is_missing_or_known(self, run_python):
        ended = run_python(
            "manage.py", "check", APP_ENV="production",
            DJANGO_SECRET_KEY=local_secrets.PUBLISHED["DJANGO_SECRET_KEY"],
            WEBHOOK_SECRET=f"own,{local_secrets.PUBLISHED['WEBHOOK_SECRET']}", OPENAI_API_KEY="",
        )  # fmt: skip

        assert ended.returncode == 1
        missing = PRODUCTION.keys() - {"APP_ENV", "DJANGO_SECRET_KEY", "WEBHOOK_SECRET"}
        assert [name for name in sorted(missing) if f"{name} must be set" not in ended.stderr] == []
        for name in ("DJANGO_SECRET_KEY", "WEBHOOK_SECRET"):
            assert f"{name} still has its development value" in ended.stderr
        assert "test-app-secret" not in ended.stderr


class TestHsts:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "31536000 False False"),
            ({"DJANGO_HSTS_INCLUDE_SUBDOMAINS": "true"}, "31536000 True False"),
            ({"DJANGO_HSTS_PRELOAD": "true", "DJANGO_HSTS_SECONDS": "60"}, "60 False True"),
        ],
    )
    def test_reaches_beyond_this_host_only_where_it_is_set(self, run_python, changes, expected):
        script = (
            "from config import settings as s;"
            "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
        )

        ended = run_python("-c", script, **PRODUCTION, **changes)

        assert ended.stdout.strip() == expected, ended.stderr
