"""
Meta's error codes, each classified once: by what it means for the message and for the channel.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
https://developers.facebook.com/docs/messenger-platform/error-codes
"""

from collections.abc import Mapping
from enum import Enum


class Verdict(Enum):
    """What an error code means; a code that is not listed is MESSAGE."""

    # This message was not sent and will not be: the customer, the text or the 24 hours are the reason.
    MESSAGE = "message"
    # Nothing is sent on this number until a person acts: `channel.error`.
    CHANNEL = "channel"
    # A limit or a fault of Meta's that passes: this message was not sent, and a person may retry it.
    RETRY = "retry"
    # A fault inside Meta: the message may have been sent. A parsed 4xx still says that it was not.
    UNKNOWN = "unknown"


_CODES: dict[Verdict, Mapping[int, str]] = {
    Verdict.CHANNEL: {
        0: "the token is invalid",
        3: "the app lacks the capability",
        10: "a permission was never granted, or was removed",
        33: "the business's phone number was deleted",
        102: "the session of the token has ended",
        190: "the token has expired",
        368: "blocked for violating a policy",
        130497: "the account may not message people in this country",
        131005: "a permission was never granted, or was removed",
        131031: "the account is restricted or disabled",
        131037: "the number's display name is not approved",
        131042: "no payment method, or another problem with the payment",
        131045: "the number's certificate or registration is faulty",
        133000: "the number's deregistration did not finish",
        133006: "the number has to be verified again",
        133010: "the number is not registered",
        **dict.fromkeys(range(200, 300), "a permission was never granted, or was removed"),
    },
    Verdict.RETRY: {
        1: "invalid request or a fault of the server",
        4: "the app's limit of calls",
        17: "the user's limit of calls",
        32: "the page's limit of calls",
        613: "the limit of calls",
        80002: "the Instagram account's limit of calls",
        80006: "the page's limit of messages",
        80007: "the WhatsApp account's limit of calls",
        130429: "the number's throughput",
        131048: "too many earlier messages were blocked or flagged",
        131056: "too many messages to this customer",
        131064: "too many messages of this class",
        133015: "the number was deleted a moment ago",
    },
    Verdict.UNKNOWN: {
        2: "the service is down or overloaded",
        131000: "an unknown fault",
        131016: "the service is unavailable",
        131057: "the account is in maintenance",
        133004: "the server is unavailable",
    },
    Verdict.MESSAGE: {
        100: "a parameter is invalid",
        551: "the person is not available",
        130403: "the person has blocked the business",
        130472: "the person is in an experiment of Meta's",
        131008: "a parameter is missing",
        131009: "a parameter's value is invalid",
        131021: "the recipient is the sender",
        131026: "the person cannot be reached",
        131047: "more than 24 hours since the person last wrote",
        131049: "Meta limits marketing to this person",
        131050: "the person has opted out of marketing",
        131051: "the type of message is not supported",
        131052: "the person's file could not be downloaded",
        131053: "the file could not be uploaded",
        131062: "the message cannot be sent to a business-scoped user id",
        132000: "the template has another number of parameters",
        132001: "the template does not exist",
        132005: "the template's text is too long",
        132007: "the template violates a policy",
        132012: "a parameter of the template has another format",
        132015: "the template is paused",
        132016: "the template is disabled",
    },
}
VERDICTS = {code: verdict for verdict, codes in _CODES.items() for code in codes}
# Where a subcode says more than its code.
SUBCODES = {
    # On Instagram: the 24 hours are over, which is about one customer only.
    (10, 2534022): Verdict.MESSAGE,
    # The number, page or account does not exist for this token.
    (100, 33): Verdict.CHANNEL,
    # The Instagram account is restricted.
    (100, 2534029): Verdict.CHANNEL,
    # Instagram reports this although the message was sent.
    (1, 1357046): Verdict.UNKNOWN,
}


def verdict(code: object, subcode: object = None) -> Verdict:
    """Return what an error means, from its code and subcode as they came: numbers or their digits."""
    number = _number(code)
    return SUBCODES.get((number, _number(subcode))) or VERDICTS.get(number, Verdict.MESSAGE)


def _number(value: object) -> int:
    text = str(value)
    # No code is longer, and int() refuses thousands of digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
