"""
API keys: `mcak_<prefix>_<secret>`, of which only the prefix and a SHA-256 are kept.

A key is 256 random bits, so a plain hash cannot be turned back, and a check costs microseconds. A key that
makes another, by creating or rotating, becomes its parent and never gives it more rights than it has itself.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from billing import audit, key_descendants
from billing.audit import Action
from billing.key_rights import Rights, check_numbers, earlier, rights_of
from billing.models import ApiKey
from config.lib import actors
from config.lib.actors import ActorKind

_TOKEN = "mcak"  # noqa: S105  (what a secret scanner may look for, not a secret)
# Last use is noted to the minute: no write per request.
_LAST_USE = timedelta(minutes=1)
_NO_HASH = "0" * 64
_AUDITED = ("name", "scope", "phone_number_ids", "expires_at", "replaces_id")


class KeyNotFoundError(Exception):
    """There is no such key that still works."""


class KeyEndedError(Exception):
    """The key was rotated or revoked, or has expired, so it cannot be rotated; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def new() -> str:
    """Make a key of 256 random bits."""
    return f"{_TOKEN}_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


@transaction.atomic
def register(key: str, *, user_id: str | None, name: str, rights: Rights | None = None) -> ApiKey:
    """
    Store a key of a business, or of an operator when there is no `user_id`.

    :raises RightsExceededError: if the actor is a key that has fewer rights
    :raises KeyNotFoundError: if the actor is a key that ended meanwhile
    :raises UnknownNumberError: if the business has no such phone number
    """
    return _store(key, user_id=user_id, name=name, rights=rights or Rights(), parent=_acting_key())


def replace(key: str, *, user_id: str | None, name: str) -> ApiKey:
    """Store a key in place of the key with the same prefix, which stops working (idempotent)."""
    fields = {"hashed_key": _hash(key), "user_id": user_id, "name": name}
    fields |= {"revoked_at": None, "expires_at": None, "scope": ApiKey.Scope.FULL, "phone_number_ids": None}
    return ApiKey.objects.update_or_create(prefix=key.split("_")[1], defaults=fields)[0]


def create(
    *,
    user_id: str | None,
    name: str,
    expires_at: datetime | None = None,
    scope: str = ApiKey.Scope.FULL,
    phone_number_ids: Sequence[str] | None = None,
) -> tuple[ApiKey, str]:
    """
    Create a key; return its row, and the key itself, which nobody can read again.

    :raises RightsExceededError: if the actor is a key that has fewer rights
    :raises KeyNotFoundError: if the actor is a key that ended meanwhile
    :raises UnknownNumberError: if the business has no such phone number
    """
    key = new()
    return register(key, user_id=user_id, name=name, rights=Rights(scope, phone_number_ids, expires_at)), key


def find(key: str, *, now: datetime) -> ApiKey | None:
    """Return the row of a valid key; None for any other text, in the same time."""
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
def rotate(
    *, user_id: str | None, prefix: str, grace: timedelta, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """
    Create a key with the rights of another, which works on for `grace`, but no longer than it would have.

    The new key ends when the old one would have, or at `expires_at`, if that is earlier.

    :raises KeyNotFoundError: if there is no such key, or the actor is a key that ended meanwhile
    :raises KeyEndedError: if it was rotated or revoked before, or has expired
    :raises RightsExceededError: if `expires_at` is later, or the actor is a key that has fewer rights
    """
    parent = _acting_key(prefix)
    old = _locked(user_id, prefix)
    if code := _end_of(old):
        raise KeyEndedError(code)
    limit = rights_of(old)
    rights = Rights(limit.scope, limit.phone_number_ids, expires_at).within(limit)
    if parent is not None and expires_at is None:
        rights = rights.ending(parent.expires_at)
    ends = earlier(old.expires_at, timezone.now() + grace)
    key = new()
    row = _store(key, user_id=user_id, name=old.name, rights=rights, parent=parent, replaces=old)
    changes = audit.difference(
        {"expires_at": old.expires_at, "replaced_by": None}, {"expires_at": ends, "replaced_by": row.prefix}
    )
    ApiKey.objects.filter(pk=old.pk).update(expires_at=ends)
    audit.record(Action.API_KEY_ROTATED, old.pk, user_id=user_id, changes=changes)
    return row, key


@transaction.atomic
def revoke(*, user_id: str | None, prefix: str, descendants: bool = False) -> list[str]:
    """
    End a key, with `descendants` also the keys it made and those they made; return the prefixes of all.

    With `descendants` the key itself may have ended before.

    :raises KeyNotFoundError: if there is no such key, or none that works
    """
    row = _locked(user_id, prefix)
    ended = [(row.pk, row.user_id)] if row.revoked_at is None else []
    if not row.works(timezone.now()) and not descendants:
        raise KeyNotFoundError(f"there is no key {prefix}")
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
    if descendants:
        ended += key_descendants.revoke(prefix)
    for one, owner in ended:
        audit.record(Action.API_KEY_REVOKED, one, user_id=owner)
    return [one for one, _ in ended]


def _acting_key(*others: str) -> ApiKey | None:
    """
    Lock the key that acts, and `others`, always in one order; return it, or None where no key acts.

    :raises KeyNotFoundError: if it ended meanwhile
    """
    actor = actors.current()
    acting = actor.identifier if actor.kind is ActorKind.KEY else None
    wanted = [prefix for prefix in (acting, *others) if prefix]
    rows = {
        row.pk: row
        for row in ApiKey.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    }
    if acting is None:
        return None
    row = rows.get(acting)
    if row is None or not row.works(timezone.now()):
        raise KeyNotFoundError(f"the key {acting} does not work any more")
    return row


def _locked(user_id: str | None, prefix: str) -> ApiKey:
    row = ApiKey.objects.select_for_update(no_key=True).filter(prefix=prefix, user_id=user_id).first()
    if row is None:
        raise KeyNotFoundError(f"there is no key {prefix}")
    return row


def _store(
    key: str,
    *,
    user_id: str | None,
    name: str,
    rights: Rights,
    parent: ApiKey | None,
    replaces: ApiKey | None = None,
) -> ApiKey:
    if parent is not None:
        rights = rights.within(rights_of(parent))
    if replaces is None:
        check_numbers(user_id, rights.phone_number_ids)
    numbers = None if rights.phone_number_ids is None else list(dict.fromkeys(rights.phone_number_ids))
    row = ApiKey.objects.create(
        prefix=key.split("_")[1],
        hashed_key=_hash(key),
        user_id=user_id,
        name=name,
        expires_at=rights.expires_at,
        scope=rights.scope,
        phone_number_ids=numbers,
        created_by=actors.current().label[:100],
        parent=parent,
        replaces=replaces,
    )
    changes = audit.difference({}, audit.snapshot(row, _AUDITED))
    audit.record(Action.API_KEY_CREATED, row.pk, user_id=user_id, changes=changes)
    return row


def _end_of(key: ApiKey) -> str:
    """Return why a key cannot be rotated; empty if it can."""
    if key.revoked_at is not None:
        return "api_key_revoked"
    if ApiKey.objects.filter(replaces=key).exists():
        return "api_key_rotated"
    return "" if key.works(timezone.now()) else "api_key_expired"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
