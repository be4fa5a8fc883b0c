"""
The demo's API keys and staff user: which there are, and which still work in a database.

`agents/demo.py` creates them, for development only. A database that was tried out in development and then
serves production still holds them, and earlier versions derived them from values in the repository.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from config.lib import local_secrets

KEY_PREFIX = "demo"
OPERATOR_KEY_PREFIX = "demoop"
STAFF_USER = "demo"

# The files of the secrets below DATA_DIR.
KEY_SECRET = "demo_api_key"  # noqa: S105  (a file's name)
OPERATOR_KEY_SECRET = "demo_operator_key"  # noqa: S105  (a file's name)
STAFF_PASSWORD = "demo_password"  # noqa: S105  (a file's name)

_ARE_MIGRATED_SQL = "SELECT to_regclass('api_keys') IS NOT NULL AND to_regclass('auth_user') IS NOT NULL"
_KEYS_SQL = """
    SELECT prefix, hashed_key
      FROM api_keys
     WHERE prefix IN (%s, %s) AND revoked_at IS NULL
       AND (expires_at IS NULL OR expires_at > statement_timestamp())
     ORDER BY prefix
"""
_STAFF_SQL = "SELECT 1 FROM auth_user WHERE username = %s AND is_active"


class Cursor(Protocol):
    """A cursor of Django or of psycopg."""

    def execute(self, query: Any, params: Any = None, /) -> Any:
        """Run a statement."""

    def fetchone(self) -> Any:
        """Return the next row."""

    def fetchall(self) -> Any:
        """Return all rows that are left."""


def active(cursor: Cursor, *, tolerated: Collection[str] = ()) -> list[str]:
    """
    Return what of the demo can be used to get in, as a person calls it.

    :param tolerated: hashes of keys that do not count; where both do not, the password does not either
    """
    cursor.execute(_ARE_MIGRATED_SQL)
    if not cursor.fetchone()[0]:
        return []
    cursor.execute(_KEYS_SQL, [KEY_PREFIX, OPERATOR_KEY_PREFIX])
    keys = list(cursor.fetchall())
    credentials = [f"API key `{prefix}`" for prefix, hashed_key in keys if hashed_key not in tolerated]
    cursor.execute(_STAFF_SQL, [STAFF_USER])
    has_staff = cursor.fetchone() is not None
    if has_staff and (credentials or not tolerated or len(keys) < len(tolerated)):
        credentials.append(f"staff user `{STAFF_USER}`")
    return credentials


def own_hashes(data_dir: Path) -> set[str]:
    """Return the hashes of the demo keys that this checkout created."""
    created = (local_secrets.find(data_dir, name) for name in (KEY_SECRET, OPERATOR_KEY_SECRET))
    return {hashlib.sha256(key.encode()).hexdigest() for key in created if key}
