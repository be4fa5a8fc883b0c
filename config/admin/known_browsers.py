"""
Browsers that have signed in before, by a signed cookie.

The cookie opens nothing. A browser that has it is limited by itself, and not by what strangers attempt with
the same name: https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

import hashlib
import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "admin_browser"
DAYS = 90
_SALT = "config.admin.known_browsers"


def recognize(request: HttpRequest, name: str) -> str:
    """Return the id of a browser that has signed in with a name, or ""."""
    try:
        browser, owner = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=DAYS * 24 * 3600)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(browser) if owner == _digest(name) else ""


def remember(response: HttpResponse, name: str) -> None:
    """Send the cookie after a complete sign-in."""
    response.set_cookie(
        COOKIE,
        signing.dumps([secrets.token_urlsafe(12), _digest(name)], salt=_SALT),
        max_age=DAYS * 24 * 3600,
        path=settings.SESSION_COOKIE_PATH,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Lax",
    )


def _digest(name: str) -> str:
    return hashlib.sha256(name.strip().lower().encode("utf-8", "replace")).hexdigest()[:32]
