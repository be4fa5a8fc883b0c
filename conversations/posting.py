"""The POST of a delivery: once, on the process's event loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import structlog
from django.conf import settings

from channels_app import senders
from channels_app.models import PhoneNumber
from channels_app.senders.contract import (
    ChannelBrokenError,
    NotDeliveredError,
    OutcomeUnknownError,
    Outgoing,
)
from config.lib import masking, metrics
from config.lib.crypto import DecryptionError
from conversations.leases import LeaseLostError

log = structlog.get_logger(__name__)

# What a statement returns for `Posting`, from deliveries and what they belong to: `number` and `customer`.
POSTING_COLUMNS = """
    deliveries.delivery_id, deliveries.message_id, deliveries.text, deliveries.attempt, deliveries.part,
    number.phone_number_id, number.type, number.access_token, number.api_base_url, number.sender_id,
    customer.customer_id, customer.wa_id, customer.bsuid, customer.ig_id
"""


@dataclass(frozen=True, slots=True)
class Posting:
    """
    One part of a reply that is to be posted, with the number and the customer it goes to.

    `type` is the number's channel, `access_token` still encrypted. `is_last` says that no other part waits.
    """

    delivery_id: str
    message_id: str
    text: str
    attempt: int
    part: int
    phone_number_id: str
    type: str
    access_token: str
    api_base_url: str
    sender_id: str
    customer_id: str
    wa_id: str | None
    bsuid: str | None
    ig_id: str | None
    reply_to: str | None = None
    is_last: bool = False
    is_sent_wanted: bool = False

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Posting":
        """Return the posting of a row that has POSTING_COLUMNS."""
        return cls(**{field.name: row[field.name] for field in fields(cls) if field.name in row})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a POST ended: the delivery's new state, the channel's id for it, and what went wrong."""

    state: str
    provider_message_id: str | None = None
    error: str = ""
    is_channel_broken: bool = False


async def post(posting: Posting, *, may_go: Callable[[], bool]) -> Outcome:
    """
    Post one delivery, once, and log how that ended.

    :raises LeaseLostError: if it may not go any more: nothing is posted
    """
    began = time.monotonic()
    outcome = await _post(posting, may_go=may_go)
    metrics.SENDS.labels(posting.type, outcome.state).observe(time.monotonic() - began)
    code = {"code": outcome.error.partition(": ")[0]} if outcome.error else {}
    write = log.info if outcome.state == "sent" else log.warning
    write(
        f"delivery.{outcome.state}",
        delivery_id=posting.delivery_id,
        message_id=posting.message_id,
        phone_number_id=posting.phone_number_id,
        attempt=posting.attempt,
        part=posting.part,
        provider_message_id=masking.tail(outcome.provider_message_id or ""),
        ms=round(1000 * (time.monotonic() - began)),
        **code,
    )
    return outcome


async def _post(posting: Posting, *, may_go: Callable[[], bool]) -> Outcome:
    number = PhoneNumber(
        phone_number_id=posting.phone_number_id, type=posting.type, access_token=posting.access_token
    )
    try:
        outgoing = Outgoing(
            phone_number_id=posting.phone_number_id,
            access_token=number.get_access_token(),
            wa_id=posting.wa_id,
            bsuid=posting.bsuid,
            ig_id=posting.ig_id,
            text=posting.text,
            callback_data=posting.delivery_id,
            timeout=settings.GRAPH_TIMEOUT / 1000,
            api_base_url=posting.api_base_url,
            sender_id=posting.sender_id,
            reply_to=posting.reply_to or "",
        )
        if not may_go():
            raise LeaseLostError
        provider_message_id = await senders.for_channel(posting.type).send(outgoing)
    except DecryptionError as error:
        log.error("delivery.no_token", delivery_id=posting.delivery_id, reason=str(error))
        return Outcome("failed", error="no_token: the access token cannot be read", is_channel_broken=True)
    except NotDeliveredError as error:
        is_broken = isinstance(error, ChannelBrokenError)
        return Outcome("failed", error=f"{error.code}: {error}", is_channel_broken=is_broken)
    except OutcomeUnknownError as error:
        return Outcome("unknown", error=f"{error.code}: {error}")
    return Outcome("sent", provider_message_id)
