"""
Logs: one JSON object a line, with the correlation id of the message they belong to.

Message text and tokens are never passed to a logger; what slips into an error's text is masked (`masking`).
"""

import logging
import re
import sys
import threading
from collections.abc import Callable
from types import TracebackType

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from structlog.typing import EventDict, Processor, WrappedLogger

from config.lib import access_log, ids, masking, metrics

# Members that structlog's formatter needs as they are.
_STRUCTLOG = frozenset({"_record", "_from_structlog"})
# Celery adds a copy of the exception, the arguments and the traceback, which stand in the line anyway.
_CELERY = "data"
_COUNTED = frozenset({"warning", "error", "critical"})
_CORRELATION_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask every member of a line, whatever it holds; members of structlog's own stay."""
    return {
        name: value if name in _STRUCTLOG else masking.clean(value, key=name)
        for name, value in event.items()
        if name != _CELERY
    }


def _count(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Count lines at warning and above by their event."""
    level = str(event.get("level", method))
    if level in _COUNTED:
        metrics.LOG_EVENTS.labels(level, metrics.limited("event", str(event.get("event", "")))).inc()
    return event


def _log_crash(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Log an exception that ends the process, which Python would print unmasked."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        logging.getLogger("process").critical("process.failed", exc_info=(kind, error, traceback))


def _log_thread_crash(crash: threading.ExceptHookArgs) -> None:
    """Log an exception that ends a thread, which Python would print unmasked."""
    if crash.exc_value is not None and not issubclass(crash.exc_type, SystemExit):
        exc_info = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        logging.getLogger("process").error("thread.failed", exc_info=exc_info)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders a line of structlog's without the copy of its record that lines of others need."""

    def __init__(self, renderer: Processor, pre_chain: list[Processor]) -> None:
        super().__init__(
            foreign_pre_chain=pre_chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
        self._renderer = renderer

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        if isinstance(record.msg, dict):
            return str(self._renderer(None, "", record.msg.copy()))
        return super().format(record)


def configure(*, level: str, output: str) -> None:
    """Send structlog's and the standard library's records to stderr, as JSON or, for `console`, readably."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        _count,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
        _mask,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if output == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(renderer, [*shared[:5], structlog.stdlib.ExtraAdder(), *shared[5:]]))
    # No line has these. https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The server prints its own records with a handler that masks nothing.
    for name in ("_granian", "granian.access"):
        server = logging.getLogger(name)
        server.handlers[:] = [handler]
        server.propagate = False
    sys.excepthook = _log_crash
    threading.excepthook = _log_thread_crash
    # Chatty at info, and some of them put whole URLs or bodies into their records.
    for name in (
        "httpx2",
        "httpcore2",
        "openai",
        "urllib3",
        "kombu",
        "celery.app.trace",
        "celery.worker.strategy",
    ):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Django logs 4xx and 5xx with their path; the access log has the same, with the template of the route.
    logging.getLogger("django.request").addFilter(access_log.is_unrecorded)


def correlation_id() -> str:
    """Read the correlation id of the work at hand; empty where there is none."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def correlation_of(header: str) -> str:
    """Take a caller's correlation id if it can be one, or make one."""
    return header if _CORRELATION_ID.fullmatch(header) else ids.new("cor")


class CorrelationMiddleware:
    """Takes the caller's correlation id, or makes one, binds it to every log line and gives it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        correlation = correlation_of(request.headers.get(settings.CORRELATION_ID_HEADER, ""))
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            response = self.get_response(request)
        access_log.note_route(request)
        response.headers[settings.CORRELATION_ID_HEADER] = correlation
        return response
