"""Refuses to start half-configured, and lists everything that is missing at once; names, never values."""

import base64
import binascii
import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  (Django's name)
from django.core.exceptions import ImproperlyConfigured

_LOG_FORMATS = ("json", "console")
_ENVIRONMENTS = ("development", "test", "production")


@register()
def check_environment(**_: Any) -> list[CheckMessage]:
    """Check what the environment says, in any environment."""
    return [
        *_check_choices(),
        *_check_numbers(),
        *_check_encryption_keys(),
        *(_check_production() if settings.IS_PRODUCTION else []),
    ]


def refuse_to_start_half_configured() -> None:
    """
    Stop a process that no management command starts, such as a web server's, for the same reasons.

    :raises ImproperlyConfigured: with everything that is missing or wrong
    """
    faults = [message.msg for message in check_environment() if message.is_serious()]
    if faults:
        raise ImproperlyConfigured(" ".join(faults))


def _check_choices() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.APP_ENV not in _ENVIRONMENTS:
        found.append(Error(f"APP_ENV must be one of {', '.join(_ENVIRONMENTS)}.", id="config.E001"))
    if settings.LOG_FORMAT not in _LOG_FORMATS:
        found.append(Error(f"LOG_FORMAT must be one of {', '.join(_LOG_FORMATS)}.", id="config.E002"))
    if not settings.WEBHOOK_PATH.startswith("/"):
        found.append(Error("WEBHOOK_PATH must begin with a slash.", id="config.E003"))
    return found


def _check_numbers() -> list[CheckMessage]:
    ranges = {
        "MESSAGE_QUEUE_SHARDS": (1, 1024),
        "PHONE_NUMBER_CONCURRENCY": (1, 10_000),
        "REPLY_DEBOUNCE": (0, 60_000),
        "REPLY_DEBOUNCE_MAX": (settings.REPLY_DEBOUNCE, 600_000),
        "TURN_LEASE": (1000, settings.TURN_DEADLINE),
        "TURN_DEADLINE": (2 * settings.GRAPH_TIMEOUT, 3_600_000),
        "OPENAI_MAX_RETRIES": (1, 10),
        "WORKER_POLL_INTERVAL": (50, 60_000),
        "DATABASE_POOL_SIZE": (1, 1000),
        "API_RATE_LIMIT": (1, 10**6),
        "API_FAILURE_LIMIT": (1, 10**6),
        "TRUSTED_PROXIES": (0, 10),
        "CREDITS_PER_REPLY": (0, 1000),
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
    found: list[CheckMessage] = [
        Error(f"{name} must be set in production.", id="config.E006")
        for name, value in needed.items()
        if not value
    ]
    found += [
        Error(f"{name} still has its development value.", id="config.E007")
        for name, value in settings.DEVELOPMENT_SECRETS.items()
        if value == needed[name] or value in (needed[name] if isinstance(needed[name], list) else [])
    ]
    if os.environ.get("FAILPOINTS"):
        found.append(Error("FAILPOINTS is for tests: it kills processes.", id="config.E010"))
    if settings.DEBUG:
        found.append(Error("DJANGO_DEBUG must be off in production.", id="config.E008"))
    if "*" in settings.ALLOWED_HOSTS:
        found.append(Error("DJANGO_ALLOWED_HOSTS must name hosts, not '*'.", id="config.E009"))
    if settings.LOG_LEVEL == "DEBUG":
        found.append(Warning("LOG_LEVEL is debug in production.", id="config.W001"))
    return found
