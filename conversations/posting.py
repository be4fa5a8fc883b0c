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
_SAID = ("phone_number_id", "wa_id", "bsuid", "ig_id", "text", "api_base_url", "sender_id")


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
    number = PhoneNumber(**{name: delivery[name] for name in ("phone_number_id", "type", "access_token")})
    # No connection is held while a foreign API is called.
    connection.close()
    try:
        outgoing = Outgoing(
            **{name: delivery[name] for name in _SAID},
            access_token=number.get_access_token(),
            callback_data=delivery["delivery_id"],
            timeout=settings.GRAPH_TIMEOUT / 1000,
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
