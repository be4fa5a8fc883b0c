"""Why a message in the inbox is never answered (`status` ignored), and which of them may be replayed."""

from enum import StrEnum


class IgnoredReason(StrEnum):
    """The `reason` of an ignored message; kept in the inbox, so a value never changes."""

    # Nothing in it could be read: a later version may read more of it.
    EMPTY_TEXT = "empty text"

    GROUP_MESSAGE = "group message"
    NO_SENDER = "no sender"
    FROM_OURSELVES = "from ourselves"
    SYSTEM_MESSAGE = "system message"
    EDITED = "edited"
    ANOTHER_APP = "another app has this conversation"
    TAKEN_BACK = "taken back"
    BEFORE_REGISTRATION = "written before the number was registered"
    ERASED = "erased"


# An allow list: a new reason is not replayed until it is listed here.
REPLAYABLE = frozenset({IgnoredReason.EMPTY_TEXT})
# Not written to this business by a customer who waits for an answer.
NEVER_REPLAYED = frozenset(
    {
        IgnoredReason.GROUP_MESSAGE,
        IgnoredReason.NO_SENDER,
        IgnoredReason.FROM_OURSELVES,
        IgnoredReason.SYSTEM_MESSAGE,
        IgnoredReason.EDITED,
        IgnoredReason.ANOTHER_APP,
        IgnoredReason.TAKEN_BACK,
        IgnoredReason.BEFORE_REGISTRATION,
        IgnoredReason.ERASED,
    }
)
