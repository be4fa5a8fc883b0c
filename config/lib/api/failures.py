"""Turns whatever went wrong into a problem document, in a view or before one was reached."""

from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import VALIDATION_ERROR, ErrorResponse
from rest_framework.exceptions import APIException, ErrorDetail, MethodNotAllowed, UnsupportedMediaType
from rest_framework.response import Response

from config.lib import sql
from config.lib.api.problems import (
    INTERNAL_ERROR,
    MEDIA_TYPE,
    document,
    method_not_allowed_detail,
    no_such_path,
    unavailable,
    unsupported_media_type_detail,
)

log = structlog.get_logger(__name__)

# A document names so many wrong fields at most.
MOST_ERRORS = 100
# Below these a person looks at pages.
_PAGES = ("/admin", "/docs")


class ProblemFormatter(ExceptionFormatter):
    """Makes a problem document of what the library collected."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        """Name fields only where the input is at fault."""
        status = self.exc.status_code
        first = error_response.errors[0]
        if error_response.type == VALIDATION_ERROR:
            errors = [
                {
                    "field": _field(error.attr or ""),
                    "code": error.code,
                    "detail": error.detail,
                }
                for error in error_response.errors[:MOST_ERRORS]
            ]
            return document(
                status,
                "validation_error",
                "The request is not valid. `errors` lists the fields to fix.",
                errors=errors,
            )
        code = "internal_error" if first.code == "error" else first.code
        detail = INTERNAL_ERROR if code == "internal_error" else first.detail
        extra = dict(getattr(self.exc, "extra", {}))
        if field := getattr(self.exc, "field", ""):
            extra["errors"] = [{"field": field, "code": first.code, "detail": first.detail}]
        return document(status, code, detail, **extra)


def _field(attribute: str) -> str:
    """Return the path of a field; empty for the whole body."""
    return "" if attribute == "non_field_errors" else attribute.removesuffix(".non_field_errors")


class ProblemHandler(ExceptionHandler):
    """Answers every exception of a view with a problem document."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Answer 503 while Postgres is away, busy or read-only: nothing was done, and a retry may help."""
        if sql.is_unavailable(exc):
            sql.discard_if_read_only(exc)
            log.error("api.database_unavailable", error=type(exc).__name__)
            return unavailable()
        self._explain(exc)
        return super().convert_known_exceptions(exc)

    def _explain(self, exc: Exception) -> None:
        """Put sentences of ours in place of DRF's fragments."""
        request: Any = self.context["request"]
        if isinstance(exc, MethodNotAllowed):
            exc.detail = ErrorDetail(method_not_allowed_detail(request.method), exc.default_code)
        elif isinstance(exc, UnsupportedMediaType):
            media_types = [parser.media_type for parser in request.parsers]
            exc.detail = ErrorDetail(unsupported_media_type_detail(media_types), exc.default_code)

    def get_response(self, exc: APIException, data: dict[str, Any]) -> Response:
        """Return the media type and the headers of a problem."""
        headers = {**self.get_headers(exc), **getattr(exc, "headers", {})}
        return Response(data, status=exc.status_code, headers=headers, content_type=MEDIA_TYPE)


# --- Where no view of ours was reached ---------------------------------------------------------------


def _answer(status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(
        document(status, code, detail),
        status=status,
        content_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def _is_page(request: HttpRequest) -> bool:
    return request.path_info.startswith(_PAGES)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refuses, such as a foreign Host."""
    if _is_page(request):
        return defaults.bad_request(request, exception)
    return _answer(400, "bad_request", "The request is malformed.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what may not be done."""
    if _is_page(request):
        return defaults.permission_denied(request, exception)
    return _answer(403, "permission_denied", "This request is not allowed.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer where there is no route."""
    if _is_page(request):
        return defaults.page_not_found(request, exception)
    return _answer(404, "not_found", str(no_such_path(request.path_info).detail))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw."""
    if _is_page(request):
        return defaults.server_error(request)
    return _answer(500, "internal_error", INTERNAL_ERROR)
