"""What belongs to a business is only looked for with its id in hand."""


class TenantMissingError(ValueError):
    """Rows of a business were asked for without saying which business."""


def required(user_id: str) -> str:
    """
    Give the id back if there is one.

    :raises TenantMissingError: if there is none; nothing falls back to everybody's rows
    """
    if not user_id:
        raise TenantMissingError("whose rows?")
    return user_id
