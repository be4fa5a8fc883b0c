"""
Errors of the API: problem documents (RFC 9457), whatever went wrong and wherever it was noticed.

`documentation/errors.md` has a heading for every code.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rest_framework.exceptions import APIException, ErrorDetail

from config.lib import logs

MEDIA_TYPE = "application/problem+json"


class ProblemError(APIException):
    """
    What a door answers when it cannot do what was asked.

    `extra` are further members of the document, such as the id of what is in the way.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str = "",
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = status
        self.field = field
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})
        super().__init__(detail, code)


def not_found() -> ProblemError:
    """Say that there is no such thing; the same where it belongs to somebody else."""
    return ProblemError(HTTPStatus.NOT_FOUND, "not_found", "There is no such thing here.")


def conflict(code: str, detail: str, **extra: Any) -> ProblemError:
    """Say that the present state of things does not allow it."""
    return ProblemError(HTTPStatus.CONFLICT, code, detail, extra=extra)


def unprocessable(code: str, detail: str, *, field: str = "") -> ProblemError:
    """Say that what was sent is well formed, but nothing can be made of it."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, field=field)


def document(status: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Give a problem document."""
    return {
        "type": f"/docs/errors#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "correlation_id": logs.correlation_id(),
        **extra,
    }


def unavailable() -> ProblemError:
    """Say that the service cannot answer now."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "The service cannot answer right now. Try again.",
        headers={"Retry-After": "5"},
    )


def field_error(code: str, detail: str) -> ErrorDetail:
    """Give what a serializer's ValidationError is made of."""
    return ErrorDetail(detail, code=code)
