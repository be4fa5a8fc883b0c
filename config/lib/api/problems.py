"""
Errors of the API: problem documents (RFC 9457), whatever went wrong and wherever it was noticed.

`documentation/errors.md` has a heading for every code.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ErrorDetail

from config.lib import logs

MEDIA_TYPE = "application/problem+json"
INTERNAL_ERROR = "Something went wrong on our side. Quote the `correlation_id` when you ask for help."


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


def not_found(parameter: str) -> ProblemError:
    """
    Return the problem of a path parameter, such as `agent_id`, that names nothing the caller may see.

    It is the same for a thing of another business.
    """
    return ProblemError(HTTPStatus.NOT_FOUND, "not_found", not_found_detail(parameter))


def not_found_detail(parameter: str) -> str:
    """Return the sentence for people: which kind of thing was not found, by which parameter."""
    kind = _KINDS.get(parameter) or parameter.removesuffix("_id").replace("_", " ")
    return f"Not found. There is no {kind} with this `{parameter}`."


# Where the parameter's own name is not the word for people.
_KINDS = {
    "prefix": "API key",
    "endpoint_id": "webhook endpoint",
    "delivery_id": "delivery of this endpoint",
    "extraction_id": "lead",
    "index": "file of this message",
}


def no_such_path(path: str) -> ProblemError:
    """Return the problem of a path at which there is no operation."""
    detail = "Not found. There is no operation at this path."
    if path.endswith("/") and path != "/":
        detail += " Paths have no slash at the end."
    return ProblemError(HTTPStatus.NOT_FOUND, "not_found", detail)


def unauthorized_detail() -> str:
    """Return the sentence that names both headers an API key is read from."""
    header = settings.API_KEY_HEADER
    return f"Send a valid API key, as `{header}: <key>` or as `Authorization: Bearer <key>`."


def method_not_allowed_detail(method: str) -> str:
    """Return the sentence for people."""
    return f"This path does not support {method}. The header `Allow` lists the methods that it supports."


def unsupported_media_type_detail(media_types: Iterable[str]) -> str:
    """Return the sentence for people: which media types a body can have."""
    named = " or ".join(f"`{media_type}`" for media_type in media_types)
    return f"The header `Content-Type` must be {named}."


def conflict(code: str, detail: str, **extra: Any) -> ProblemError:
    """Return a 409: the present state does not allow the request."""
    return ProblemError(HTTPStatus.CONFLICT, code, detail, extra=extra)


def unprocessable(code: str, detail: str, *, field: str = "") -> ProblemError:
    """Return a 422: the request is well formed but cannot be fulfilled."""
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, code, detail, field=field)


def document(status: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Return a problem document."""
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
    """Return a 503: the service cannot answer now."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "The service is not available right now. Try again soon.",
        headers={"Retry-After": "5"},
    )


def internal_error() -> ProblemError:
    """Return the problem of an error that nobody foresaw."""
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        INTERNAL_ERROR,
    )


def field_error(code: str, detail: str) -> ErrorDetail:
    """Return the errors inside a serializer's ValidationError."""
    return ErrorDetail(detail, code=code)
