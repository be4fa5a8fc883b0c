"""Pausing the AI for a customer: a person took over, or a loop had to be stopped."""

import structlog
from django.conf import settings

from config.lib import sql

log = structlog.get_logger(__name__)


def pause(*, customer_id: str, reason: str) -> None:
    """Keep the AI from answering a customer for TAKEOVER_PAUSE from now on."""
    log.warning("customer.paused", customer_id=customer_id, reason=reason)
    sql.execute(
        """
        UPDATE customers
           SET paused_until = statement_timestamp() + make_interval(secs => %(seconds)s),
               pause_reason = %(reason)s
         WHERE customer_id = %(customer)s
        """,
        {"customer": customer_id, "reason": reason, "seconds": settings.TAKEOVER_PAUSE / 1000},
    )
