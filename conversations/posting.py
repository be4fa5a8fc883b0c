"""The POST of a delivery: once, with no connection to Postgres held meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from channels_app import senders
from channels_app.models import PhoneNumber
from channels_app.senders.contract import (
    ChannelBrokenError,
    NotDeliveredError,
    OutcomeUnknownError,
    Outgoing,
)
from config.lib.crypto import DecryptionError
from conversations.leases import LeaseLostError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a POST ended: the delivery's new state, the channel's id for it, and what went wrong."""

    state: str
    provider_message_id: str | None = None
    error: str = ""
    is_channel_broken: bool = False


def post(delivery: dict[str, Any], *, may_go: Callable[[], bool]) -> Outcome:
    """
    Post one delivery, once.

    :raises LeaseLostError: if it may not go any more: nothing is posted
    """
    number = PhoneNumber(phone_number_id=delivery["phone_number_id"], access_token=delivery["access_token"])
    # No connection is held while a foreign API is called.
    connection.close()
    try:
        outgoing = Outgoing(
            phone_number_id=delivery["phone_number_id"],
            access_token=number.get_access_token(),
            wa_id=delivery["wa_id"],
            bsuid=delivery["bsuid"],
            ig_id=delivery["ig_id"],
            text=delivery["text"],
            callback_data=delivery["delivery_id"],
            timeout=settings.GRAPH_TIMEOUT / 1000,
            api_base_url=delivery["api_base_url"],
            sender_id=delivery["sender_id"],
            reply_to=delivery["reply_to"] or "",
        )
        if not may_go():
            raise LeaseLostError
        provider_message_id = senders.for_channel(delivery["type"]).send(outgoing)
    except DecryptionError as error:
        log.error("delivery.no_token", delivery_id=delivery["delivery_id"], reason=str(error))
        said = "no_token: the access token cannot be read"
        return Outcome("failed", error=said, is_channel_broken=True)
    except NotDeliveredError as error:
        log.warning("delivery.failed", delivery_id=delivery["delivery_id"], code=error.code)
        is_broken = isinstance(error, ChannelBrokenError)
        return Outcome("failed", error=f"{error.code}: {error}", is_channel_broken=is_broken)
    except OutcomeUnknownError as error:
        log.warning("delivery.unknown", delivery_id=delivery["delivery_id"], code=error.code)
        return Outcome("unknown", error=f"{error.code}: {error}")
    return Outcome("sent", provider_message_id)
