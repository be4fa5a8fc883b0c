"""
The access log: one line for each HTTP request, whichever layer answered it.

The gateway opens a `Record` and writes the line when the response was sent. Layers below add to the record
of the request at hand what only they know: the route, the business, the API key. The line has the template
of the route and never the path, the query, a header or the body: those can hold ids of customers and tokens.
"""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from config.lib import metrics

log = structlog.get_logger(__name__)

# As nginx logs it: the client closed the connection before it got a response.
CLIENT_CLOSED = 499
_HEALTH = "/health/"
# Requests for which a line at `info` would only hide the others.
_QUIET = frozenset({"health", "static"})
_KINDS = (
    (_HEALTH, "health"),
    ("/static/", "static"),
    ("/admin", "admin"),
    ("/webchat/", "webchat"),
    ("/users", "api"),
    ("/audit_log", "api"),
)
_PAGES = ("/docs", "/schema", "/widget.js", "/demo")
# `<slug:name>` of a path, `(?P<name>…)` of a regular expression.
_PARAMETER = re.compile(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>")


class Record:
    """What is known of one request; `is_silent` once a line of the log describes it."""

    def __init__(self, method: str, path: str) -> None:
        self.method = method
        self.path = path
        self.route = ""
        self.facts: dict[str, str] = {}
        self.error: BaseException | None = None
        self.is_silent = False
        self.is_stream = False
        self._began = time.perf_counter()

    def measure(self, *, status: int | None) -> None:
        """Measure the request, now that its response was sent; streams last as long as they like."""
        if not self.is_stream:
            code = str(CLIENT_CLOSED if status is None else status)
            metrics.HTTP_REQUESTS.labels(_kind(self.path), code).observe(time.perf_counter() - self._began)

    def write(self, *, status: int | None) -> None:
        """Write the line, once; `status` is None if no response was begun."""
        if self.is_silent:
            return
        self.is_silent = True
        kind = _kind(self.path)
        status = CLIENT_CLOSED if status is None else status
        write = log.error if status >= 500 else log.debug if kind in _QUIET else log.info
        write(
            f"{kind}.request",
            method=self.method,
            route=self.route,
            status=status,
            ms=round(1000 * (time.perf_counter() - self._began)),
            **self.facts,
            **({"exc_info": self.error} if self.error else {}),
        )


_current: ContextVar[Record | None] = ContextVar("access_record", default=None)


@contextmanager
def recording(record: Record) -> Iterator[None]:
    """Make a record that of the request at hand, within the block."""
    token = _current.set(record)
    try:
        yield
    finally:
        _current.reset(token)


def note(**facts: str | None) -> None:
    """Add members to the line of the request at hand, such as `user_id`; empty ones are left out."""
    if record := _current.get():
        record.facts.update({name: fact for name, fact in facts.items() if fact})


def note_route(request: HttpRequest) -> None:
    """Add the template of the route that Django found for the request at hand."""
    if (record := _current.get()) and request.resolver_match:
        record.route = _template(request.resolver_match.route)


def note_error(error: BaseException | None) -> None:
    """Add an exception to the line of the request at hand, which is written then in any case."""
    if record := _current.get():
        record.error = error
        record.is_silent = False


def note_stream() -> None:
    """Note that the response to the request at hand is a stream."""
    if record := _current.get():
        record.is_stream = True


def silence() -> None:
    """Write no line for the request at hand: the caller writes one."""
    if record := _current.get():
        record.is_silent = True


def is_unrecorded(_: logging.LogRecord) -> bool:
    """Check that no request is at hand whose line will say what a log record of Django's would."""
    return _current.get() is None


def route_of(path: str) -> str:
    """Return the template of a path's route, such as `/users/{user_id}`; empty if it has none."""
    try:
        return _template(resolve(path).route)
    except Resolver404:
        return ""


def _template(route: str) -> str:
    named = _PARAMETER.sub(lambda match: f"{{{match[1] or match[2]}}}", route)
    return "/" + named.replace("^", "").removesuffix("$")


def _kind(path: str) -> str:
    if path == settings.WEBHOOK_PATH:
        return "webhook"
    if path == "/" or path.startswith(_PAGES):
        return "page"
    return next((kind for prefix, kind in _KINDS if path.startswith(prefix)), "api")


def _note_raised(**_: Any) -> None:
    note_error(sys.exc_info()[1])


got_request_exception.connect(_note_raised, dispatch_uid="access_log")
