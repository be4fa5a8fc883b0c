"""Turns whatever went wrong into a problem document, in a view or before one was reached."""

from typing import Any

import structlog
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import VALIDATION_ERROR, ErrorResponse
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from config.lib.api.problems import MEDIA_TYPE, document, unavailable

log = structlog.get_logger(__name__)

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
                    "field": (error.attr or "").removesuffix(".non_field_errors"),
                    "code": error.code,
                    "detail": error.detail,
                }
                for error in error_response.errors
            ]
            return document(
                status, "validation_error", "The request does not fit what is documented.", errors=errors
            )
        code = "internal_error" if first.code == "error" else first.code
        detail = "Something went wrong here; it is in the log." if code == "internal_error" else first.detail
        extra = dict(getattr(self.exc, "extra", {}))
        if field := getattr(self.exc, "field", ""):
            extra["errors"] = [{"field": field, "code": first.code, "detail": first.detail}]
        return document(status, code, detail, **extra)


class ProblemHandler(ExceptionHandler):
    """Answers every exception of a view with a problem document."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Say 503 while Postgres is away or too busy: nothing was done, and it is worth trying again."""
        if isinstance(exc, OperationalError | PoolTimeout):
            log.error("api.database_unavailable", error=type(exc).__name__)
            return unavailable()
        return super().convert_known_exceptions(exc)

    def get_response(self, exc: APIException, data: dict[str, Any]) -> Response:
        """Give the media type and the headers that belong to a problem."""
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
    return _answer(400, "bad_request", "The request cannot be understood.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what may not be done."""
    if _is_page(request):
        return defaults.permission_denied(request, exception)
    return _answer(403, "permission_denied", "This may not be done.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer where there is no route."""
    if _is_page(request):
        return defaults.page_not_found(request, exception)
    return _answer(404, "not_found", "There is no such thing here.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what nobody foresaw."""
    if _is_page(request):
        return defaults.server_error(request)
    return _answer(500, "internal_error", "Something went wrong here; it is in the log.")
