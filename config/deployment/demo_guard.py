"""Keeps a service that strangers can reach from running on a database with the demo's credentials."""

import os
import sys
from typing import Any

import structlog
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db.backends.signals import connection_created

from config.lib import demo_credentials
from config.lib.demo_credentials import Cursor

log = structlog.get_logger(__name__)


def is_needed() -> bool:
    """Return whether strangers may reach the service."""
    return bool(settings.IS_PRODUCTION or settings.EXPOSED_BY)


def check(cursor: Cursor) -> list[CheckMessage]:
    """Check that no credentials of the demo work; a checkout's own may, outside production."""
    if not is_needed():
        return []
    own = set() if settings.IS_PRODUCTION else demo_credentials.own_hashes(settings.DATA_DIR)
    credentials = demo_credentials.active(cursor, tolerated=own)
    if not credentials:
        return []
    text = f"The database holds credentials of the demo that work: {', '.join(credentials)}."
    return [Error(f"{text} Remove them with `manage.py remove_demo`.", id="config.E015")]


def check_with_first_connection() -> None:
    """End this process if its first connection to Postgres shows credentials of the demo."""
    connection_created.connect(_check_connection, dispatch_uid=__name__)


def _check_connection(connection: Any, **_: Any) -> None:
    with connection.cursor() as cursor:
        messages = check(cursor)
    if messages:
        log.critical("start.refused", problem=messages[0].msg)
        sys.stderr.flush()
        # At once: no work was begun without Postgres, and a granian worker that is asked to stop can hang.
        # The process manager starts this process again, and it is refused then.
        os._exit(os.EX_CONFIG)
    connection_created.disconnect(dispatch_uid=__name__)
