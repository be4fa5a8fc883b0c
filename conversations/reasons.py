"""
Reasons: why a message failed, was not answered, or may not have arrived, as a stable code and a sentence.

The tables hold a text. Of a delivery it is `code: what the channel said`, with Meta's code or one of
`channels_app.senders`; the others are listed here. A text that is stored never changes its meaning.
"""

import re
from dataclasses import dataclass

from channels_app.ignored import IgnoredReason

TAKEN_OVER = "a person took over"
WRITTEN_TO_A_PERSON = "a person had taken over"
NO_CREDITS = "insufficient_credits"
WORKER_DIED = "its worker died each time"
SENDER_DIED = "its sender died"
MODEL_FAILED = "model: "

# Several parts of a message each have an error; the first one is shown.
_BETWEEN_PARTS = re.compile(r"; (?=[0-9a-z_]{1,50}: |$)")
_CODED = re.compile(r"([0-9A-Za-z_]{1,50}): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reason:
    """A code to act on, and a sentence for people."""

    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        """Return it as the API and events show it."""
        return {"code": self.code, "message": self.message}


_REASONS = {
    TAKEN_OVER: Reason("taken_over", "A person took over before the AI had replied."),
    WRITTEN_TO_A_PERSON: Reason("taken_over", "A person had taken over, so the AI does not reply."),
    NO_CREDITS: Reason("insufficient_credits", "The business had too few credits for a reply."),
    WORKER_DIED: Reason("worker_died", "The process that was creating the reply crashed each time."),
    SENDER_DIED: Reason(
        "sender_died", "The process that was sending the message crashed before the channel responded."
    ),
    IgnoredReason.EMPTY_TEXT: Reason("empty_text", "The message had no content that could be read."),
    IgnoredReason.GROUP_MESSAGE: Reason("group_message", "The message was sent to a group."),
    IgnoredReason.NO_SENDER: Reason("no_sender", "The channel did not say who wrote the message."),
    IgnoredReason.FROM_OURSELVES: Reason("from_ourselves", "The business itself sent the message."),
    IgnoredReason.SYSTEM_MESSAGE: Reason("system_message", "The channel itself sent the message."),
    IgnoredReason.EDITED: Reason("edited", "The message is an edit of another one."),
    IgnoredReason.ANOTHER_APP: Reason("another_app", "Another app handles this conversation."),
    IgnoredReason.TAKEN_BACK: Reason("taken_back", "The customer deleted the message."),
    IgnoredReason.ERASED: Reason("erased", "The customer was erased."),
    IgnoredReason.BEFORE_REGISTRATION: Reason(
        "before_registration", "The message was written before the number was registered."
    ),
}
# Also where nothing was stored: a failure always has a reason.
_OTHER = "other"
CODES = frozenset({reason.code for reason in _REASONS.values()} | {"model_failed", _OTHER})


def parse(text: str) -> Reason:
    """Return the reason that a stored text means."""
    known = _REASONS.get(text) or _REASONS.get(text.partition("; ")[0])
    if known is not None:
        return known
    if text.startswith(MODEL_FAILED):
        return Reason("model_failed", f"The model gave no reply: {text.removeprefix(MODEL_FAILED)}")
    first = _BETWEEN_PARTS.split(text)[0]
    if (coded := _CODED.fullmatch(first)) is not None:
        return Reason(coded[1], coded[2])
    return Reason(_OTHER, first.removeprefix(": "))
