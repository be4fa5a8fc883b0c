"""
What only the admin needs, for the admin's addresses only: sessions, who is signed in, notices, headers.

Webhooks and the API are the hot path; they neither read a session nor pay for looking whether there is one.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django_otp.middleware import OTPMiddleware

from config.admin import client_address

PREFIX = "/admin/"
# Alpine, which unfold is built with, compiles expressions in attributes and sets styles. Nothing is inline
# but unfold's own colours, and nothing comes from or goes to anybody else.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def _is_admin(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


class AdminSessionMiddleware(SessionMiddleware):
    """Sessions, in the admin."""

    def process_request(self, request: HttpRequest) -> None:
        """Find the session, and note who uses it."""
        if _is_admin(request):
            super().process_request(request)
            session: Any = request.session
            session.address = client_address.of(request)[:100]
            session.user_agent = request.headers.get("User-Agent", "")[:255]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Keep the session."""
        return super().process_response(request, response) if _is_admin(request) else response


class AdminAuthenticationMiddleware(AuthenticationMiddleware):
    """Who is signed in, in the admin."""

    def process_request(self, request: HttpRequest) -> None:
        """Find out."""
        if _is_admin(request):
            super().process_request(request)


class AdminSecondFactorMiddleware(OTPMiddleware):
    """Whether the session has passed the second factor, in the admin."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        response: HttpResponse = (
            super().__call__(request) if _is_admin(request) else self.get_response(request)
        )
        return response


class AdminMessageMiddleware(MessageMiddleware):
    """Notices, in the admin."""

    def process_request(self, request: HttpRequest) -> None:
        """Find the notices."""
        if _is_admin(request):
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Keep what was not shown."""
        return super().process_response(request, response) if _is_admin(request) else response


class AdminHeadersMiddleware:
    """Has browsers keep nothing of the admin, and load nothing from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        response = self.get_response(request)
        if _is_admin(request):
            # A customer's file comes with a policy of its own, which allows nothing at all.
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers["Cache-Control"] = "no-store"
        return response
