"""When a demo is to be: a time as it is written, at the business, becomes a moment."""

import re
from datetime import UTC, datetime, timedelta

from agents.prompt_variables import zone
from extraction.values import UnfitValueError

# From the message that names it.
_FARTHEST = timedelta(days=2 * 366)
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S*", re.ASCII)


def moment(text: str, *, timezone: str) -> datetime:
    """
    Read `YYYY-MM-DDTHH:MM`, the business's time unless it says its offset, and give it in UTC.

    What a clock change skips is an hour later; of an hour that comes twice it is the first.

    :raises UnfitValueError: if it is no date with a time
    """
    written = text.strip()
    try:
        if not _WRITTEN.fullmatch(written):
            raise ValueError
        read = datetime.fromisoformat(written)
        local = read if read.tzinfo else read.replace(tzinfo=zone(timezone))
        return local.astimezone(UTC).replace(second=0, microsecond=0)
    except (ValueError, OverflowError) as error:
        raise UnfitValueError("not_a_time", "The value must be a date with a time of day.") from error


def agreed(text: str, *, timezone: str, written_at: datetime) -> datetime:
    """
    Read the time of a demo that was named at some time.

    :raises UnfitValueError: if it is no time, or one before it was named or years after
    """
    at = moment(text, timezone=timezone)
    if at <= written_at:
        raise UnfitValueError("in_the_past", "The time is before the message that names it.")
    if at - written_at > _FARTHEST:
        raise UnfitValueError("too_far_ahead", "The time is more than two years ahead.")
    return at
