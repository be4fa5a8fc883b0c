"""Where customers' files and e-mails go."""

import os

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  (Django's name)
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InvalidStorageError, storages


def check_storage() -> list[CheckMessage]:
    """Check that the storage of STORAGE_BACKEND can be created; without that, each file would fail later."""
    try:
        storages["default"]
    except (InvalidStorageError, ImproperlyConfigured, ImportError, TypeError, ValueError) as error:
        backend = settings.STORAGES["default"]["BACKEND"]
        text = f"STORAGE_BACKEND={backend} cannot be used: {_reason(error)}"
        hint = "Install its package (for S3: django-storages[s3]) and look at STORAGE_OPTIONS."
        return [Error(text, hint=hint, id="config.E014")]
    return []


def check_choices() -> list[CheckMessage]:
    """Warn of defaults that are right on one machine only."""
    messages: list[CheckMessage] = []
    if not (os.environ.get("STORAGE_BACKEND") or os.environ.get("STORAGE_OPTIONS")):
        text = f"Customers' files are stored in {settings.DATA_DIR / 'media'}, which other hosts do not see."
        hint = "Set STORAGE_BACKEND, or STORAGE_OPTIONS to a folder all hosts share (with one host: any)."
        messages.append(Warning(text, hint=hint, id="config.W005"))
    if not settings.EMAIL_IS_SENT:
        text = "EMAIL_URL is not set: no e-mail about leads and switched-off endpoints is written."
        hint = "EMAIL_URL=dummymail:// says that none is wanted."
        messages.append(Warning(text, hint=hint, id="config.W006"))
    return messages


def _reason(error: BaseException) -> str:
    """Return the first cause: it names the package that is missing."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
