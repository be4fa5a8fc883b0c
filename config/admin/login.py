"""
The login: after five wrong passwords for a name from one address it takes none for a quarter of an hour.

Counted in Redis, and in the process while Redis is away.
"""

import hashlib
import time
from typing import Any

from django import forms
from unfold.forms import AuthenticationForm

from config.lib import redis

MOST = 5
SECONDS = 15 * 60

_here: dict[str, list[float]] = {}


class LoginForm(AuthenticationForm):
    """Asks for name and password, unless it was asked too often."""

    def clean(self) -> dict[str, Any]:
        """
        Sign in.

        An attempt is counted before the password is looked at, so that many at once are no way around.
        """
        key = _key(str(self.cleaned_data.get("username", "")), self.request)
        if _attempts(key) > MOST:
            raise forms.ValidationError("Too many attempts. Try again in 15 minutes.", code="locked")
        cleaned: dict[str, Any] = super().clean()
        _forget(key)
        return cleaned


def _key(username: str, request: Any) -> str:
    whose = f"{username.strip().lower()}|{request.META.get('REMOTE_ADDR', '')}"
    return f"admin:login:{hashlib.sha256(whose.encode('utf-8', 'replace')).hexdigest()}"


def _attempts(key: str) -> int:
    try:
        return int(redis.call(_count, key))
    except redis.RedisUnavailableError:
        return _count_here(key)


def _count(key: str) -> int:
    pipeline = redis.client().pipeline()
    pipeline.incr(key)
    pipeline.expire(key, SECONDS, nx=True)
    return int(pipeline.execute()[0])


def _count_here(key: str) -> int:
    now = time.monotonic()
    if len(_here) > 10_000:
        _here.clear()
    recent = [*(at for at in _here.get(key, ()) if at > now - SECONDS), now]
    _here[key] = recent
    return len(recent)


def _forget(key: str) -> None:
    _here.pop(key, None)
    try:
        redis.call(redis.client().delete, key)
    except redis.RedisUnavailableError:
        return
