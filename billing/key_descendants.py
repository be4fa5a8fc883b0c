"""The descendants of an API key: the keys it made, by creating or rotating, and those that these made."""

from django.utils import timezone

from billing.models import ApiKey
from config.lib import sql


def working(prefix: str) -> list[str]:
    """Return the prefixes of a key's descendants that work, in order."""
    now = timezone.now()
    descendants = sql.rows(_DESCENDANTS_SQL, {"prefix": prefix})
    keys = ApiKey.objects.filter(pk__in=[row["prefix"] for row in descendants])
    return sorted(key.pk for key in keys if key.works(now))


def revoke(prefix: str) -> list[tuple[str, str | None]]:
    """Revoke a key's descendants; return the prefix and the business of each that was not revoked before."""
    ended: list[tuple[str, str | None]] = []
    # A key that is being made meanwhile holds its parent's row: looked for again until there is none.
    while rows := sql.rows(_REVOKE_SQL, {"prefix": prefix}):
        ended += [(row["prefix"], row["user_id"]) for row in rows]
    return ended


# UNION, not UNION ALL: it ends even if parents ever formed a circle.
_DESCENDANTS_SQL = """
    WITH RECURSIVE made AS (
        SELECT prefix FROM api_keys WHERE parent_id = %(prefix)s
         UNION
        SELECT child.prefix FROM api_keys AS child JOIN made ON child.parent_id = made.prefix)
    SELECT prefix FROM made
"""
_REVOKE_SQL = f"""
    UPDATE api_keys SET revoked_at = statement_timestamp()
     WHERE revoked_at IS NULL AND prefix IN ({_DESCENDANTS_SQL})
    RETURNING prefix, user_id
"""  # noqa: S608  (our own words)
