"""
Idempotency-Key: a repeated POST has one effect, and gets the first response again.

Every POST of the management API reads the header: `billing.api.access.ApiView` wraps each `post`. Effect and
stored response are one transaction, so there is neither an effect without a stored response nor the
reverse. A request that failed leaves nothing and may be sent again with the same key.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, cast

from django.db import OperationalError, transaction
from django.utils import timezone
from psycopg.errors import LockNotAvailable
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import caller_of
from billing.models import IdempotencyKey
from config.lib import crypto, sql
from config.lib.api.problems import ProblemError, conflict, unprocessable

HEADER = "Idempotency-Key"
LIFETIME = timedelta(hours=24)
REUSED = ("idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one.")
_FORM = re.compile(r"[\x21-\x7e]{1,255}")
_STORED_HEADERS = ("Location", "ETag")

Method = Callable[..., Response]


def once_per_key(method: Method) -> Method:
    """
    Make a view's method read the Idempotency-Key.

    The method runs inside a transaction. What must not, such as a call to a foreign API, belongs into the
    view's `prepare_post`, which runs before; a replay runs neither. `@operation` marks methods that require
    the header, and those whose response shows a secret: such a response is replayed to the same API key only.
    """
    is_required = getattr(method, "requires_idempotency_key", False)
    shows_secret = getattr(method, "shows_secret", False)

    @wraps(method)
    def handle(self: Any, request: Request, **kwargs: Any) -> Response:
        prepare = partial(self.prepare_post, request, **kwargs)
        respond = partial(method, self, request, **kwargs)
        key = _key_of(request, is_required=is_required)
        if key is None:
            prepare()
            return respond()
        caller = caller_of(request)
        fingerprint = _fingerprint(request, caller.key_prefix if shows_secret else "")
        return _once(caller.owner, key, fingerprint, prepare=prepare, respond=respond)

    return handle


def _key_of(request: Request, *, is_required: bool) -> str | None:
    key = request.headers.get(HEADER)
    if key is None and is_required:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "idempotency_key_missing",
            "Send an `Idempotency-Key` header, so that the request can be repeated safely.",
        )
    if key is not None and not _FORM.fullmatch(key):
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "idempotency_key_invalid",
            "An Idempotency-Key must have 1 to 255 visible ASCII characters.",
        )
    return key


def _once(
    owner: str, key: str, fingerprint: str, *, prepare: Callable[[], None], respond: Callable[[], Response]
) -> Response:
    stored = _stored(owner, key)
    if stored is None:
        prepare()
        with transaction.atomic():
            if _take(owner, key, fingerprint):
                response = respond()
                _store(owner, key, response)
                return response
            # A concurrent request with the same key was faster.
            stored = IdempotencyKey.objects.get(owner=owner, key=key)
    return _replayed(stored, fingerprint)


def _stored(owner: str, key: str) -> IdempotencyKey | None:
    oldest = timezone.now() - LIFETIME
    return IdempotencyKey.objects.filter(owner=owner, key=key, created_at__gt=oldest).first()


def _take(owner: str, key: str, fingerprint: str) -> bool:
    """
    Insert the key, or take over one that has expired; wait for a concurrent request with the same key.

    :raises ProblemError: 409 if the concurrent request takes too long
    """
    try:
        return bool(sql.execute(_TAKE_SQL, [owner, key, fingerprint, LIFETIME.total_seconds()]))
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise conflict(
                "idempotency_key_in_use",
                "A request with this Idempotency-Key is in progress. Try again soon.",
            ) from error
        raise


_TAKE_SQL = """
    INSERT INTO idempotency_keys AS known (owner, key, fingerprint, headers)
    VALUES (%s, %s, %s, '{}')
        ON CONFLICT (owner, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, status = NULL, headers = '{}', body = NULL,
           created_at = statement_timestamp()
     WHERE known.created_at <= statement_timestamp() - make_interval(secs => %s)
"""


def _store(owner: str, key: str, response: Response) -> None:
    # Encrypted, as it may show a secret or a customer's message.
    body = JSONRenderer().render(response.data).decode() or "null"
    IdempotencyKey.objects.filter(owner=owner, key=key).update(
        status=response.status_code,
        body=crypto.encrypt(body, context=_context(owner, key)),
        headers={name: response[name] for name in _STORED_HEADERS if name in response},
    )


def _replayed(stored: IdempotencyKey, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise unprocessable(*REUSED)
    headers = {**stored.headers, "Idempotency-Replayed": "true"}
    return Response(_body(stored), status=cast("int", stored.status), headers=headers)


def _body(stored: IdempotencyKey) -> Any:
    # Earlier versions stored responses without a secret as they were: always an object, never a string.
    if not isinstance(stored.body, str):
        return stored.body
    return json.loads(crypto.decrypt(stored.body, context=_context(stored.owner, stored.key)))


def _context(owner: str, key: str) -> str:
    return f"idempotency_keys:{owner}:{key}"


def _fingerprint(request: Request, key_prefix: str) -> str:
    parts = [request.method, request.path, request.query_params.urlencode(), request.data]
    if key_prefix:
        parts.append(key_prefix)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def wipe(is_wiped: Callable[[Any], bool]) -> int:
    """Replace each kept answer for which `is_wiped` holds by an empty object; return how many there were."""
    wiped = 0
    for row in IdempotencyKey.objects.exclude(body=None).iterator(chunk_size=500):
        try:
            body = _body(row)
        except crypto.DecryptionError:
            continue
        if is_wiped(body):
            empty = crypto.encrypt("{}", context=_context(row.owner, row.key))
            wiped += IdempotencyKey.objects.filter(pk=row.pk, body=row.body).update(body=empty)
    return wiped


def purge() -> int:
    """Delete expired keys and return how many there were."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - LIFETIME).delete()
    return deleted
