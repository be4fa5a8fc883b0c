"""The admin's log of who did what, as far as it describes rows of an erased customer."""

from collections.abc import Collection

from django.contrib.admin.models import LogEntry

_ERASED = "(erased)"


def wipe(object_ids: Collection[str]) -> int:
    """Empty the descriptions of rows and of what was done to them; return how many entries were emptied."""
    entries = LogEntry.objects.filter(object_id__in=list(object_ids)).exclude(object_repr=_ERASED)
    return entries.update(object_repr=_ERASED, change_message=_ERASED)
