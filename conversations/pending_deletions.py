"""
Deletions at OpenAI and in the storage: a row each, tried until it is done.

OpenAI deletes a conversation without its items, so these go first:
https://developers.openai.com/api/reference/resources/conversations/methods/delete
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime

import structlog
from django.core.files.storage import default_storage

from agents import openai_deletions
from config.lib import event_loop, sql
from config.lib.errors import ForeignError
from conversations.models import PendingDeletion

log = structlog.get_logger(__name__)

Kind = PendingDeletion.Kind
BATCH = 100
_PATIENCE = 60.0
# Seconds until the next attempt double from the first to the second.
_FIRST_WAIT, _LONGEST_WAIT = 15, 3600


def add(kind: Kind, targets: Iterable[str], *, erasure_id: str = "", due_at: datetime | None = None) -> int:
    """Have things deleted, in the caller's transaction; return how many are new."""
    wanted = sorted({target for target in targets if target})
    if not wanted:
        return 0
    return sql.execute(
        _ADD_SQL, {"kind": kind.value, "targets": wanted, "erasure": erasure_id, "due_at": due_at}
    )


def is_due() -> bool:
    """Check whether anything is to be deleted now."""
    return (
        sql.row("SELECT 1 FROM pending_deletions WHERE due_at <= statement_timestamp() LIMIT 1") is not None
    )


def left(erasure_id: str) -> int:
    """Return how much of an erasure is still to be deleted."""
    return PendingDeletion.objects.filter(erasure_id=erasure_id).count()


def run(*, erasure_id: str = "", most: int = BATCH) -> int:
    """
    Delete what is due, of one erasure if it is named; return how much is done.

    What cannot be deleted now is tried again later. An outage of OpenAI does not keep files, and one of the
    storage not OpenAI's copies.
    """
    done, away = 0, set[str]()
    found = {"erasure": erasure_id, "most": most, "lease": 2 * _PATIENCE}
    for row in sql.rows(_TAKE_SQL, found):
        # No connection is held while somebody else is waited for.
        sql.release_connection()
        kind = Kind(row["kind"])
        service = "storage" if kind is Kind.FILE else "openai"
        error = "not_tried" if service in away else _delete(kind, row["target"])
        if error:
            away.add(service)
            _postpone(row, error)
        else:
            PendingDeletion.objects.filter(pk=row["id"]).delete()
            done += 1
    return done


def _delete(kind: Kind, target: str) -> str:
    """Delete one thing; return the code of the error, empty if it is gone."""
    try:
        _DELETE[kind](target)
    except ForeignError as error:
        return error.code or "refused"
    except Exception as error:  # noqa: BLE001  (a storage of whatever kind)
        return type(error).__name__
    return ""


def _delete_conversation(target: str) -> None:
    event_loop.run(openai_deletions.delete_conversation(target, deadline=time.monotonic() + _PATIENCE))


def _delete_response(target: str) -> None:
    event_loop.run(openai_deletions.delete_response(target, deadline=time.monotonic() + _PATIENCE))


def _delete_file(target: str) -> None:
    default_storage.delete(target)


_DELETE: dict[Kind, Callable[[str], None]] = {
    Kind.OPENAI_CONVERSATION: _delete_conversation,
    Kind.OPENAI_RESPONSE: _delete_response,
    Kind.FILE: _delete_file,
}


def _postpone(row: dict[str, object], error: str) -> None:
    attempts = int(str(row["attempts"]))
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(attempts - 1, 10))
    log.warning("deletion.postponed", kind=row["kind"], attempts=attempts, error=error)
    sql.execute(_POSTPONE_SQL, {"id": row["id"], "wait": wait, "error": error[:100]})


_ADD_SQL = """
    INSERT INTO pending_deletions (kind, target, erasure_id, due_at)
    SELECT %(kind)s, target, %(erasure)s, COALESCE(%(due_at)s::timestamptz, statement_timestamp())
      FROM unnest(%(targets)s::varchar[]) AS target
        ON CONFLICT (kind, target) DO UPDATE SET erasure_id = excluded.erasure_id
     WHERE excluded.erasure_id <> ''
"""
# Taken for a while, so that nobody else tries the same meanwhile.
_TAKE_SQL = """
    UPDATE pending_deletions
       SET attempts = attempts + 1, due_at = statement_timestamp() + make_interval(secs => %(lease)s)
     WHERE id = ANY(ARRAY(
           SELECT id FROM pending_deletions
            WHERE due_at <= statement_timestamp() AND (%(erasure)s = '' OR erasure_id = %(erasure)s)
            ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING id, kind, target, attempts
"""
_POSTPONE_SQL = """
    UPDATE pending_deletions
       SET due_at = statement_timestamp() + make_interval(secs => %(wait)s), error = %(error)s
     WHERE id = %(id)s
"""
