"""One POST of an event to an endpoint, and how it ended; nothing is written down here."""

import email.utils
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.utils import timezone

from billing.models import Event, WebhookEndpoint
from billing.webhooks import payload, signing
from config.lib import outbound
from config.lib.crypto import DecryptionError

log = structlog.get_logger(__name__)

TIMEOUT = 15.0
LONGEST_RETRY_AFTER = 3600
# Answers that say when to come again: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
_ASKS_TO_WAIT = {429, 503}
# More digits than that are more than an hour in any case.
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a POST ended; without a `status` there was no answer. `wait` are seconds the endpoint asked for."""

    status: int | None
    error: str = ""
    wait: float = 0

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint said so."""
        return self.status is not None and 200 <= self.status < 300


def post(event: Event, endpoint: WebhookEndpoint) -> Outcome:
    """Post an event to an endpoint, signed, and wait for the answer for TIMEOUT seconds."""
    try:
        posted = _posted(event, endpoint)
    except DecryptionError:
        error = "the endpoint's secret cannot be read"
    except outbound.ForbiddenAddressError:
        error = "the address is not public"
    except outbound.NotSentError as reason:
        error = f"no connection: {reason}"
    except outbound.NoAnswerError as reason:
        error = f"no answer: {reason}"
    except Exception:  # else it would be tried without end, and its log stay empty
        log.exception("webhook.not_posted", event_id=event.event_id, endpoint_id=endpoint.endpoint_id)
        error = "it could not be posted"
    else:
        is_redirect = 300 <= posted.status < 400
        return Outcome(
            posted.status,
            error="redirects are not followed" if is_redirect else "",
            wait=_wait(posted, now=timezone.now()),
        )
    return Outcome(None, error)


def _posted(event: Event, endpoint: WebhookEndpoint) -> outbound.Posted:
    body = payload.encoded(event)
    now = timezone.now()
    signed = signing.headers(
        event_id=event.event_id, body=body, secrets=endpoint.secrets(now), timestamp=int(now.timestamp())
    )
    own = {
        "content-type": "application/json",
        "user-agent": f"{settings.APP_NAME}/{settings.APP_VERSION}",
    }
    return outbound.post_bytes(
        endpoint.url,
        body=body,
        headers={**own, **signed},
        deadline=time.monotonic() + TIMEOUT,
        may_be_private=settings.WEBHOOK_ENDPOINTS_PRIVATE,
    )


def _wait(posted: outbound.Posted, *, now: datetime) -> float:
    """Read how many seconds to wait, from a number or a date; an hour at most."""
    retry_after = posted.retry_after.strip()
    if posted.status not in _ASKS_TO_WAIT or not retry_after:
        return 0
    if retry_after.isascii() and retry_after.isdigit():
        return min(int(retry_after[:_MOST_DIGITS]), LONGEST_RETRY_AFTER)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0
    return min(max(seconds, 0), LONGEST_RETRY_AFTER)
