"""
The filter by tenant: rows of a business are only looked up by its id.

An API key may be restricted to some phone numbers of its business. Then rows of other numbers do not exist
for it: each queryset's `of` adds `permitted`, so no view has to repeat it.
"""

from django.db.models import Q

from config.lib import actors


class TenantMissingError(ValueError):
    """Rows of a business were asked for without saying which business."""


def required(user_id: str) -> str:
    """
    Return the id if there is one.

    :raises TenantMissingError: if there is none; nothing falls back to everybody's rows
    """
    if not user_id:
        raise TenantMissingError("whose rows?")
    return user_id


def permitted(column: str) -> Q:
    """Return the filter to the phone numbers that the actor may see; `column` leads to their id."""
    numbers = permitted_numbers()
    return Q() if numbers is None else Q(**{f"{column}__in": numbers})


def permitted_numbers() -> list[str] | None:
    """Return the ids of the only phone numbers that the actor may see; None = no restriction."""
    numbers = actors.current().phone_number_ids
    return None if numbers is None else list(numbers)
