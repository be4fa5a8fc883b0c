"""API keys: `mcak_<prefix>_<secret>`, of which only the prefix and a SHA-256 are kept."""

import hashlib
import secrets

from billing.models import ApiKey

_TOKEN = "mcak"  # noqa: S105  (what a secret scanner may look for, not a secret)


def new() -> str:
    """Make a key of 256 random bits."""
    return f"{_TOKEN}_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def register(key: str, *, user_id: str | None, name: str) -> ApiKey:
    """Keep a key for a user, or for an operator when there is no user."""
    prefix = key.split("_")[1]
    hashed = hashlib.sha256(key.encode()).hexdigest()
    return ApiKey.objects.create(prefix=prefix, hashed_key=hashed, user_id=user_id, name=name)
