"""What every channel's sender takes and raises."""

from dataclasses import dataclass

from config.lib.errors import RejectedError, UnavailableError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """
    One POST: a text to a customer. `callback_data` comes back in statuses where a channel can do that.

    Without an `api_base_url` it goes to the channel's own, without a `sender_id` it is sent as the number.
    `reply_to` is the provider's id of the message to quote, where a channel can do that.
    """

    phone_number_id: str
    access_token: str
    wa_id: str | None
    bsuid: str | None
    ig_id: str | None
    text: str
    callback_data: str
    timeout: float
    api_base_url: str = ""
    sender_id: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A customer's message that is being answered: by the id that its channel goes by."""

    phone_number_id: str
    access_token: str
    api_base_url: str = ""
    sender_id: str = ""
    provider_message_id: str = ""
    ig_id: str = ""
    customer_id: str = ""


class NotDeliveredError(RejectedError):
    """It has definitely not been sent."""


class ChannelBrokenError(NotDeliveredError):
    """Nothing will be sent on this number until a person acts: its token or its account was refused."""


class OutcomeUnknownError(UnavailableError):
    """It may have been sent: a timeout, a broken connection, a 5xx."""
