"""
What the process `webhook` serves: WEBHOOK_PATH and the health pages. Every other path is 404.

Ordinary webhooks are taken in on the event loop (`channels_app.webhook_fast_path`), the rest by Django.
"""

from functools import partial
from http import HTTPStatus

from config import wsgi  # noqa: F401  (sets Django up, and refuses to start half-configured)

# isort: split
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from channels_app import webhook_fast_path
from channels_app.meta import signature
from config.gateway import open_files, wsgi_bridge
from config.gateway.application import Application
from config.gateway.bodies import BodyRule
from config.gateway.incoming import Incoming
from config.gateway.responses import Response
from config.lib import access_log
from config.lib.api.problems import ProblemError
from config.monitoring import process

# While Postgres hangs, webhooks wait for it for a few seconds before they go to the spool.
MAX_REQUESTS = 2048
_HEALTH = frozenset({"/health/live", "/health/ready"})
_DEFAULT = BodyRule()


class _Request(WSGIRequest):
    """A request to one of the few addresses of this process."""

    # https://docs.djangoproject.com/en/5.2/ref/request-response/#django.http.HttpRequest.urlconf
    urlconf = "config.webhook_urls"


class _Handler(WSGIHandler):
    request_class = _Request


_django = _Handler()


def _admit_signed(request: Incoming) -> dict[str, str]:
    if not signature.is_well_formed(request.headers.get("x-hub-signature-256", "")):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "signature_invalid",
            "The body has no signature. Send it as `X-Hub-Signature-256`.",
        )
    return {}


# Meta's webhooks have up to 3 MB.
_WEBHOOK = BodyRule(max_bytes=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, admit=_admit_signed)


def body_rule(request: Incoming) -> BodyRule | None:
    """Return how large the body of a request may be; None where this process serves nothing."""
    if request.path == settings.WEBHOOK_PATH:
        return _WEBHOOK
    return _DEFAULT if request.path in _HEALTH else None


async def _respond(request: Incoming, body: bytes, is_admitted: bool) -> Response:  # noqa: ARG001, FBT001
    if webhook_fast_path.is_ordinary(
        method=request.method,
        path=request.path,
        scheme=request.scope["scheme"],
        headers=request.headers,
        raw=body,
    ):
        # It writes a line for each webhook.
        access_log.silence()
        status, headers = await webhook_fast_path.receive(raw=body, headers=request.headers)
        return Response(status, [(name.encode(), value.encode()) for name, value in headers.items()])
    return await wsgi_bridge.respond(_django, request, body)


def _route_of(path: str) -> str:
    return path if path == settings.WEBHOOK_PATH or path in _HEALTH else ""


open_files.allow()
application = Application(
    rule_of=body_rule,
    respond=_respond,
    route_of=_route_of,
    max_requests=MAX_REQUESTS,
    on_start=partial(process.start, "webhook"),
)
