"""The log as it would stand on stderr."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

Lines = Callable[[], list[dict]]


@contextmanager
def written_lines() -> Iterator[Lines]:
    """Return a function that reads the lines logged since; nothing of them reaches stderr."""
    written = io.StringIO()
    handler = next(
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    )
    stderr = handler.setStream(written)
    try:
        yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    finally:
        handler.setStream(stderr)
