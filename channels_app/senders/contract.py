"""What every channel's sender takes and raises."""

from dataclasses import dataclass

from config.lib.errors import RejectedError, UnavailableError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One POST: a text to a customer. `callback_data` comes back in statuses where a channel can do that."""

    phone_number_id: str
    access_token: str
    wa_id: str | None
    bsuid: str | None
    ig_id: str | None
    text: str
    callback_data: str
    timeout: float


class NotDeliveredError(RejectedError):
    """It has definitely not been sent."""


class OutcomeUnknownError(UnavailableError):
    """It may have been sent: a timeout, a broken connection, a 5xx."""
