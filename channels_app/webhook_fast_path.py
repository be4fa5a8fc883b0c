"""
The webhook on the event loop, in front of Django: the same checks and the same intake as the view's.

Three of four webhooks are statuses, each of which would cost a thread, a Django request and a transaction.
Whatever is not an ordinary POST to the webhook is left to Django.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache

import structlog
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils import timezone

from channels_app import ingest, webhook
from channels_app.webchat import server_messages
from config.lib import errors, failpoints, logs

log = structlog.get_logger(__name__)

# A larger body is read by a thread: the event loop has others to serve.
LARGE = 64 * 1024
# What Postgres has not written by then goes to the spool as well; twice is the same as once.
PATIENCE = 4.0

Answer = tuple[int, dict[str, str]]


def is_ordinary(*, method: str, path: str, scheme: str, headers: Mapping[str, str], raw: bytes) -> bool:
    """Return whether a request is a webhook of Meta for us; `headers` have lower-case names."""
    if method != "POST" or path != settings.WEBHOOK_PATH or len(raw) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return False
    # Parsed by a thread: it is not signed with a secret that is known here.
    if server_messages.is_marked(raw):
        return False
    secure = settings.SECURE_PROXY_SSL_HEADER
    is_secure = scheme == "https" or bool(
        secure and headers.get(secure[0].removeprefix("HTTP_").lower().replace("_", "-")) == secure[1]
    )
    is_secure_enough = is_secure or not settings.SECURE_SSL_REDIRECT
    return is_secure_enough and _is_allowed(headers.get("host", ""), tuple(settings.ALLOWED_HOSTS))


@lru_cache(maxsize=100)
def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return validate_host(domain, allowed)


async def receive(*, raw: bytes, headers: Mapping[str, str]) -> Answer:
    """Take in a webhook and return the status and the headers of the response."""
    status = webhook.refusal(
        raw=raw,
        signature_header=headers.get("x-hub-signature-256", ""),
        content_type=headers.get("content-type", ""),
    )
    if status is None:
        status = await _take(raw)
    # The gateway has bound it to the request at hand.
    answer = {settings.CORRELATION_ID_HEADER: logs.correlation_id()}
    return status, answer | ({"retry-after": "5"} if status == 503 else {})


async def _take(raw: bytes) -> int:
    now = timezone.now()
    arrived = (
        ingest.arrived(raw, now=now)
        if len(raw) < LARGE
        else await asyncio.to_thread(ingest.arrived, raw, now=now)
    )
    try:
        await asyncio.wait_for(ingest.batches(arrived).add(arrived), PATIENCE)
    except ingest.UnwritableError:
        return await _spool(arrived)
    except TimeoutError:
        ingest.postgres.failed()
        return await _spool(arrived)
    except Exception as error:  # noqa: BLE001  (whatever it is, the webhook is kept)
        log.error("webhook.batch_failed", error=errors.summary(error))
        return await _spool(arrived)
    failpoints.reach("P1")
    log.info("webhook.received", **arrived.parsed.summary, size=len(raw))
    return 200


async def _spool(arrived: ingest.Arrived) -> int:
    try:
        await asyncio.to_thread(ingest.spool_one, arrived)
    except ingest.NowhereToKeepError as error:
        log.error("webhook.refused", reason=str(error), size=len(arrived.raw))
        return 503
    log.info("webhook.spooled", **arrived.parsed.summary, size=len(arrived.raw))
    return 200
