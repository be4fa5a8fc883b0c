"""
Requests that may be repeated: the same Idempotency-Key gives the first answer again, and does nothing.

Answer and effect are one transaction, so there is neither an effect without an answer to give again nor the
other way round. One that failed left nothing, and may be tried again with the same key.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
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
KEPT = timedelta(hours=24)
REUSED = ("idempotency_key_reused", "This Idempotency-Key was used for another request.")
_FORM = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Location", "ETag")

Method = Callable[..., Response]


def idempotent(*, required: bool = False, is_secret: bool = False) -> Callable[[Method], Method]:
    """
    Have a view's method read the Idempotency-Key; what it does must be one transaction's work.

    An answer that `is_secret`, since it shows a secret this once, is kept encrypted.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        def handle(self: Any, request: Request, **kwargs: Any) -> Response:
            key = request.headers.get(HEADER)
            if key is None and not required:
                return method(self, request, **kwargs)
            if key is None:
                raise ProblemError(
                    HTTPStatus.BAD_REQUEST,
                    "idempotency_key_missing",
                    "This needs an Idempotency-Key header, so that repeating it is safe.",
                )
            if not _FORM.fullmatch(key):
                raise ProblemError(
                    HTTPStatus.BAD_REQUEST,
                    "idempotency_key_invalid",
                    "An Idempotency-Key is 1 to 255 visible ASCII characters.",
                )
            return _once(lambda: method(self, request, **kwargs), request, key, is_secret=is_secret)

        return handle

    return decorate


def _once(answer: Callable[[], Response], request: Request, key: str, *, is_secret: bool) -> Response:
    fingerprint, owner = _fingerprint(request), caller_of(request).owner
    with transaction.atomic():
        kept = _begin(owner, key, fingerprint)
        if kept is not None:
            return _again(kept, fingerprint)
        response = answer()
        body = json.loads(JSONRenderer().render(response.data))
        IdempotencyKey.objects.filter(owner=owner, key=key).update(
            status=response.status_code,
            body=_sealed(body, owner, key) if is_secret else body,
            headers={name: response[name] for name in _KEPT_HEADERS if name in response},
        )
        return response


def _begin(owner: str, key: str, fingerprint: str) -> IdempotencyKey | None:
    """Take the key, after whoever holds it has come to an end; give what they left, if anything."""
    try:
        taken = sql.execute(
            """
            INSERT INTO idempotency_keys (owner, key, fingerprint, headers)
            VALUES (%s, %s, %s, '{}') ON CONFLICT (owner, key) DO NOTHING
            """,
            [owner, key, fingerprint],
        )
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise conflict(
                "idempotency_key_in_use", "A request with this Idempotency-Key is under way."
            ) from error
        raise
    return None if taken else IdempotencyKey.objects.get(owner=owner, key=key)


def _again(kept: IdempotencyKey, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise unprocessable(*REUSED)
    headers = {**kept.headers, "Idempotency-Replayed": "true"}
    return Response(_opened(kept), status=cast("int", kept.status), headers=headers)


def _sealed(body: Any, owner: str, key: str) -> str:
    return crypto.encrypt(json.dumps(body), context=f"idempotency_keys:{owner}:{key}")


def _opened(kept: IdempotencyKey) -> Any:
    # Every answer of the API is an object, so a text is a sealed one.
    if not isinstance(kept.body, str):
        return kept.body
    return json.loads(crypto.decrypt(kept.body, context=f"idempotency_keys:{kept.owner}:{kept.key}"))


def _fingerprint(request: Request) -> str:
    asked = [request.method, request.path, request.query_params.urlencode(), request.data]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def purge() -> int:
    """Forget what is older than a day."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return deleted
