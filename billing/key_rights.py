"""The rights of API keys, and that none makes a key with more rights than it has itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.models import ApiKey
from config.lib import sql

_SCOPES = ApiKey.Scope.values


class RightsExceededError(Exception):
    """A key would get more rights than the key that makes it or that it replaces; `field` says which."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class UnknownNumberError(Exception):
    """The business has no such phone number."""


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a key: its scope, the only numbers it may see (None = all), and its end (None = none)."""

    scope: str = ApiKey.Scope.FULL
    phone_number_ids: Sequence[str] | None = None
    expires_at: datetime | None = None

    def within(self, limit: "Rights") -> "Rights":
        """
        Return these rights, with the limit's end where they have none.

        :raises RightsExceededError: if they are more than the limit
        """
        if _SCOPES.index(self.scope) > _SCOPES.index(limit.scope):
            raise RightsExceededError("scope")
        if limit.phone_number_ids is not None and (
            self.phone_number_ids is None or not set(self.phone_number_ids) <= set(limit.phone_number_ids)
        ):
            raise RightsExceededError("phone_number_ids")
        expires_at = self.expires_at or limit.expires_at
        if limit.expires_at and expires_at and expires_at > limit.expires_at:
            raise RightsExceededError("expires_at")
        return Rights(self.scope, self.phone_number_ids, expires_at)

    def ending(self, moment: datetime | None) -> "Rights":
        """Return these rights with this end, if it is earlier than their own."""
        return Rights(self.scope, self.phone_number_ids, earlier(self.expires_at, moment))


def rights_of(key: ApiKey) -> Rights:
    """Return the rights of a key."""
    return Rights(key.scope, key.phone_number_ids, key.expires_at)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two ends; None = there is no end."""
    return min((end for end in (one, other) if end is not None), default=None)


def check_numbers(user_id: str | None, numbers: Sequence[str] | None) -> None:
    """
    Check that a restriction names numbers of the business, and at least one.

    :raises UnknownNumberError: if it does not
    """
    if numbers is None:
        return
    known = {row["phone_number_id"] for row in sql.rows(_NUMBERS_SQL, {"user": user_id})}
    if not numbers or not set(numbers) <= known:
        raise UnknownNumberError


# Phone numbers stand in a room above; of them it is only read whose they are.
_NUMBERS_SQL = "SELECT phone_number_id FROM phone_numbers WHERE user_id = %(user)s AND deleted_at IS NULL"
