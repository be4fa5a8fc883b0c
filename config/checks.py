"""
Refuses to start half-configured, and lists everything that is missing at once; names, never a secret's value.

`documentation/checks.md` explains every check.
"""

import base64
import binascii
import os
from typing import Any

import structlog
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  (Django's name)
from django.core.exceptions import ImproperlyConfigured

from config.deployment import demo_guard, outlets, published, queues, servers, spelling
from config.lib import roles

log = structlog.get_logger(__name__)

_LOG_FORMATS = ("json", "console")
_SECOND_FACTORS = ("required", "optional", "off")
_ENVIRONMENTS = ("development", "test", "production")


@register()
def check_environment(**_: Any) -> list[CheckMessage]:
    """Check what the environment says, in any environment."""
    return [
        *(Error(fault, id="config.E011") for fault in settings.ENVIRONMENT_FAULTS),
        *_check_choices(),
        *_check_numbers(),
        *_check_encryption_keys(),
        *outlets.check_storage(),
        *(_check_production() if settings.IS_PRODUCTION else published.check_exposure()),
    ]


@register(deploy=True)
def check_deployment(**_: Any) -> list[CheckMessage]:
    """Check the rest of the system: names of variables, queues of the workers, Postgres, Redis."""
    return [
        *queues.check(),
        *spelling.check(),
        *published.check_proxies(),
        *published.check_endpoints(),
        *(outlets.check_choices() if settings.IS_PRODUCTION else []),
        *servers.check_postgres(),
        *servers.check_redis(),
    ]


def refuse_to_start_half_configured() -> None:
    """
    Stop a process of the service at its start: a web server, a worker, beat, the sweeper.

    Where strangers may reach the service, Postgres must hold no credentials of the demo. While Postgres is
    away the process starts all the same, as webhooks must be accepted; its first connection is checked then.

    :raises ImproperlyConfigured: with everything that is missing or wrong
    """
    messages = check_environment()
    if not any(message.is_serious() for message in messages) and demo_guard.is_needed():
        messages += [*servers.check_postgres(), *servers.check_redis()]
    if faults := [message.msg for message in messages if message.is_serious()]:
        raise ImproperlyConfigured(" ".join(faults))
    for message in messages:
        log.warning("start.check_warned", check=message.id, problem=message.msg)
    if any(message.id == servers.POSTGRES_AWAY for message in messages):
        demo_guard.check_with_first_connection()


def _check_choices() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if settings.APP_ENV not in _ENVIRONMENTS:
        messages.append(Error(f"APP_ENV must be one of {', '.join(_ENVIRONMENTS)}.", id="config.E001"))
    if settings.LOG_FORMAT not in _LOG_FORMATS:
        messages.append(Error(f"LOG_FORMAT must be one of {', '.join(_LOG_FORMATS)}.", id="config.E002"))
    if settings.ADMIN_SECOND_FACTOR not in _SECOND_FACTORS:
        messages.append(
            Error(f"ADMIN_SECOND_FACTOR must be one of {', '.join(_SECOND_FACTORS)}.", id="config.E030")
        )
    if unknown := sorted(set(settings.HEALTH_ROLES) - set(roles.ROLES)):
        text = f"HEALTH_ROLES names unknown roles: {', '.join(unknown)}. Known: {', '.join(roles.ROLES)}."
        messages.append(Error(text, id="config.E031"))
    if not settings.WEBHOOK_PATH.startswith("/"):
        messages.append(Error("WEBHOOK_PATH must begin with a slash.", id="config.E003"))
    return messages


def _check_numbers() -> list[CheckMessage]:
    ranges = {
        "MESSAGE_QUEUE_SHARDS": (1, 1024),
        "PHONE_NUMBER_CONCURRENCY": (1, 10_000),
        "NOTIFIER_CONCURRENCY": (1, 1000),
        "REPLY_DEBOUNCE": (0, 60_000),
        "REPLY_DEBOUNCE_MAX": (settings.REPLY_DEBOUNCE, 600_000),
        "TURN_LEASE": (1000, settings.TURN_DEADLINE),
        "TURN_DEADLINE": (2 * settings.GRAPH_TIMEOUT, 3_600_000),
        "OPENAI_MAX_RETRIES": (1, 10),
        "WORKER_POLL_INTERVAL": (50, 60_000),
        "DATABASE_POOL_SIZE": (1, 1000),
        "METRICS_PORT": (0, 65_000),
        "REDIS_TIMEOUT_MS": (50, 60_000),
        "API_RATE_LIMIT": (1, 10**6),
        "API_BUSINESS_RATE_LIMIT": (1, 10**6),
        "API_FAILURE_LIMIT": (1, 10**6),
        "TRUSTED_PROXIES": (0, 10),
        "WEBCHAT_DAILY_CHAT_BYTES": (0, 10**15),
        "WEBCHAT_DAILY_ADDRESS_BYTES": (0, settings.WEBCHAT_DAILY_CHAT_BYTES),
        "CREDITS_PER_REPLY": (0, 1000),
        "UNKNOWN_AFTER_SECONDS": (0, 86_400),
        "NUMBER_CHECK_HOURS": (0, 24 * 365),
        "SILENCE_ALARM_HOURS": (0, 24 * 60),
        "CREDITS_PER_EXTRACTION": (0, 1000),
        "EXTRACTION_LOOK_INTERVAL": (100, 600_000),
        "EXTRACTION_INTERVAL": (1, 10**9) if settings.APP_ENV != "production" else (300_000, 900_000),
    }
    return [
        Error(f"{name} must be from {low} to {high}.", id="config.E004")
        for name, (low, high) in ranges.items()
        if not low <= getattr(settings, name) <= high
    ]


def _check_encryption_keys() -> list[CheckMessage]:
    for key in settings.FIELD_ENCRYPTION_KEYS:
        try:
            is_key = len(base64.b64decode(key, validate=True)) == 32
        except (binascii.Error, ValueError):
            is_key = False
        if not is_key:
            return [Error("FIELD_ENCRYPTION_KEY must be base64 of 32 bytes (or several).", id="config.E005")]
    return []


def _check_production() -> list[CheckMessage]:
    needed = {
        "DJANGO_SECRET_KEY": settings.DJANGO_SECRET_KEY,
        "FIELD_ENCRYPTION_KEY": settings.FIELD_ENCRYPTION_KEYS,
        "WEBHOOK_SECRET": settings.WEBHOOK_SECRETS,
        "WEBHOOK_VERIFY_TOKEN": settings.WEBHOOK_VERIFY_TOKEN,
        "OPENAI_API_KEY": settings.OPENAI_API_KEY,
        "DATABASE_URL": settings.DATABASE_URL,
        "REDIS_URL": settings.REDIS_URL,
        "DJANGO_ALLOWED_HOSTS": settings.ALLOWED_HOSTS,
    }
    messages: list[CheckMessage] = [
        Error(f"{name} must be set in production.", id="config.E006")
        for name, value in needed.items()
        if not value
    ]
    messages += [
        Error(f"{name} still has its development value.", id="config.E007") for name in published.names()
    ]
    if os.environ.get("FAILPOINTS"):
        messages.append(Error("FAILPOINTS is for tests: it kills processes.", id="config.E010"))
    if settings.DEBUG:
        messages.append(Error("DJANGO_DEBUG must be off in production.", id="config.E008"))
    if "*" in settings.ALLOWED_HOSTS:
        messages.append(Error("DJANGO_ALLOWED_HOSTS must name hosts, not '*'.", id="config.E009"))
    if settings.LOG_LEVEL == "DEBUG":
        messages.append(Warning("LOG_LEVEL is debug in production.", id="config.W001"))
    return messages
