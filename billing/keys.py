"""
API keys: `mcak_<prefix>_<secret>`, of which only the prefix and a SHA-256 are kept.

A key is 256 random bits, so a plain hash cannot be turned back, and a check costs microseconds.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from billing.models import ApiKey

_TOKEN = "mcak"  # noqa: S105  (what a secret scanner may look for, not a secret)
# Last use is noted to the minute: no write per request.
_LAST_USE = timedelta(minutes=1)
_NO_HASH = "0" * 64


class KeyNotFoundError(Exception):
    """There is no such key that still works."""


def new() -> str:
    """Make a key of 256 random bits."""
    return f"{_TOKEN}_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def register(key: str, *, user_id: str | None, name: str, expires_at: datetime | None = None) -> ApiKey:
    """Keep a key for a user, or for an operator when there is no user."""
    prefix = key.split("_")[1]
    return ApiKey.objects.create(
        prefix=prefix, hashed_key=_hash(key), user_id=user_id, name=name, expires_at=expires_at
    )


def create(*, user_id: str | None, name: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Make a key for a user, or for an operator; give its row, and the key, which nobody can read again."""
    key = new()
    return register(key, user_id=user_id, name=name, expires_at=expires_at), key


def find(key: str, *, now: datetime) -> ApiKey | None:
    """Give the row of a key that works; None for any other text, in the same time."""
    parts = key.split("_", 2)
    prefix = parts[1] if len(parts) == 3 and parts[0] == _TOKEN and parts[1].isalnum() else "-"
    row = ApiKey.objects.filter(prefix=prefix[:20]).first()
    is_same = hmac.compare_digest(_hash(key), row.hashed_key if row else _NO_HASH)
    return row if row and is_same and row.works(now) else None


def note_use(row: ApiKey, *, now: datetime) -> None:
    """Write down that a key was used, unless that is known to the minute."""
    if row.last_used_at is None or row.last_used_at < now - _LAST_USE:
        ApiKey.objects.filter(pk=row.pk).update(last_used_at=now)


@transaction.atomic
def rotate(*, user_id: str, prefix: str, grace: timedelta) -> tuple[ApiKey, str]:
    """
    Make a key in place of another, which works on for `grace`, but no longer than it would have.

    :raises KeyNotFoundError: if the user has no such key that works
    """
    old = _locked(user_id, prefix)
    ends = timezone.now() + grace
    if old.expires_at is None or ends < old.expires_at:
        old.expires_at = ends
        old.save(update_fields=["expires_at"])
    return create(user_id=user_id, name=old.name)


@transaction.atomic
def revoke(*, user_id: str | None, prefix: str) -> None:
    """
    End a key, from the next request on.

    :raises KeyNotFoundError: if there is no such key that works
    """
    row = _locked(user_id, prefix)
    row.revoked_at = timezone.now()
    row.save(update_fields=["revoked_at"])


def _locked(user_id: str | None, prefix: str) -> ApiKey:
    row = ApiKey.objects.select_for_update().filter(prefix=prefix, user_id=user_id).first()
    if row is None or not row.works(timezone.now()):
        raise KeyNotFoundError(f"there is no key {prefix}")
    return row


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
