"""
Logs: one JSON object a line, with the correlation id of the message they belong to.

Message text and tokens are never passed to a logger; phone numbers that slip into an error's text are masked.
"""

import logging
import re
import sys
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from structlog.typing import EventDict, Processor, WrappedLogger

from config.lib import ids

# A run of digits long enough to be a phone number.
_DIGITS = re.compile(r"\+?\d{8,}")
# Where long digits are no phone number: ids of ours, of Meta's numbers and of vendors' calls.
_PLAIN = frozenset(
    {
        *(
            "timestamp",
            "correlation_id",
            "request_id",
            "phone_number_id",
            "user_id",
            "customer_id",
            "turn_id",
        ),
        *("conversation_id", "openai_conversation_id", "message_id", "delivery_id", "event_id"),
    }
)
_DETAIL = re.compile(r"DETAIL:.*", re.DOTALL)
_CORRELATION_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


def masked(text: str) -> str:
    """Hide all but the first and last digits of anything that may be a phone number."""
    return _DIGITS.sub(lambda match: f"{match[0][:3]}…{match[0][-2:]}", text)


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and key not in _PLAIN:
            event[key] = masked(_DETAIL.sub("DETAIL: (hidden)", value))
    return event


def configure(*, level: str, output: str) -> None:
    """Send structlog's and the standard library's records to stderr, as JSON or, for `console`, readably."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:4], structlog.stdlib.ExtraAdder(), *shared[4:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
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


def correlation_id() -> str:
    """Read the correlation id of the work at hand; empty where there is none."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


def correlation_of(given: str) -> str:
    """Take a caller's correlation id if it can be one, or make one."""
    return given if _CORRELATION_ID.fullmatch(given) else ids.new("cor")


class CorrelationMiddleware:
    """Takes the caller's correlation id, or makes one, binds it to every log line and gives it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        correlation = correlation_of(request.headers.get(settings.CORRELATION_ID_HEADER, ""))
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            response = self.get_response(request)
        response.headers[settings.CORRELATION_ID_HEADER] = correlation
        return response
