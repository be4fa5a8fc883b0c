"""
Sessions of the admin in a table that says whose they are, so that they can be listed and ended.

Django's own table knows neither user nor browser. Ending a session deletes its row; the next request with its
cookie is then nobody's.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from config.models import StaffSession

# A request moves `last_seen_at` at most this often.
SEEN_EVERY = timedelta(minutes=1)
_BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class SessionStore(DatabaseStore):
    """Keeps sessions in `staff_sessions`; the middleware sets `address` and `user_agent`."""

    address = ""
    user_agent = ""
    _created_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[StaffSession]:
        """Return the model of the rows."""
        return StaffSession

    def _get_session_from_db(self) -> StaffSession | None:
        row: Any = super()._get_session_from_db()  # type: ignore[misc]
        if row is None:
            return None
        self._created_at = row.created_at
        now = timezone.now()
        if now - row.last_seen_at >= SEEN_EVERY:
            StaffSession.objects.filter(pk=row.pk).update(
                last_seen_at=now, address=self.address, user_agent=self.user_agent
            )
        return row  # type: ignore[no-any-return]

    def create(self) -> None:
        """Begin a session, also one that continues another under a new key."""
        self._created_at = None
        super().create()

    def create_model_instance(self, data: dict[str, Any]) -> StaffSession:
        """Return the row to store."""
        now = timezone.now()
        user_id = data.get(SESSION_KEY)
        return StaffSession(
            session_key=self._get_or_create_session_key(),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=int(user_id) if user_id else None,
            created_at=self._created_at or now,
            last_seen_at=now,
            address=self.address,
            user_agent=self.user_agent,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A session as it is shown; its `id` names it without being its key."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    address: str
    browser: str
    is_current: bool


def of_user(user: User, *, current_key: str | None = None) -> list[Listed]:
    """List a user's sessions, the one seen last first."""
    return [
        Listed(
            id=_public_id(row.session_key),
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            address=row.address,
            browser=browser_name(row.user_agent),
            is_current=row.session_key == current_key,
        )
        for row in _live(user).order_by("-last_seen_at")
    ]


def end(user: User, session_id: str) -> bool:
    """End one session of a user by its public id; False if there is none."""
    keys = [key for key in _live(user).values_list("pk", flat=True) if _public_id(key) == session_id]
    return bool(StaffSession.objects.filter(pk__in=keys).delete()[0])


def end_all(user: User, *, except_key: str | None = None) -> int:
    """End all sessions of a user, but for one, and return how many."""
    return StaffSession.objects.filter(user_id=user.pk).exclude(pk=except_key or "").delete()[0]


def remove_expired() -> None:
    """Delete the sessions that are over."""
    StaffSession.objects.filter(expire_date__lt=timezone.now()).delete()


def browser_name(user_agent: str) -> str:
    """Return "Firefox on Windows" for a User-Agent header, as far as it tells."""
    browser = next((name for mark, name in _BROWSERS if re.search(rf"{mark}\w*/", user_agent)), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown browser"


def _live(user: User) -> Any:
    return StaffSession.objects.filter(user_id=user.pk, expire_date__gt=timezone.now())


def _public_id(session_key: str) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest()[:32]
