"""Accounts of businesses: opened with a balance of 0 and a first key."""

from typing import Any

from django.db import IntegrityError, transaction

from billing import audit, keys
from billing.audit import Action
from billing.models import ApiKey, Credit, User

_AUDITED = ("email", "company_name", "timezone", "notify_email")


class EmailTakenError(Exception):
    """Another user has this e-mail address."""


def open_account(
    *, email: str, company_name: str = "", timezone: str = "UTC", notify_email: str = ""
) -> tuple[User, ApiKey, str]:
    """
    Make a user and its first key; the key's text is given this once.

    :raises EmailTakenError: if another user has the address
    """
    try:
        with transaction.atomic():
            user = User.objects.create(
                email=email.lower(),
                company_name=company_name,
                timezone=timezone,
                notify_email=notify_email,
            )
            Credit.objects.create(user=user)
            changes = audit.difference({}, audit.snapshot(user, _AUDITED))
            audit.record(Action.USER_CREATED, user.pk, user_id=user.pk, changes=changes)
            return (user, *keys.create(user_id=user.user_id, name="first key"))
    except IntegrityError as error:
        raise EmailTakenError(email) from error


def change(user: User, **changes: Any) -> User:
    """
    Change what is said of a user: `email`, `company_name`, `timezone`, `notify_email`.

    :raises EmailTakenError: if another user has the address
    """
    if "email" in changes:
        changes["email"] = changes["email"].lower()
    before = audit.snapshot(user, changes)
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        try:
            with transaction.atomic():
                user.save(update_fields=list(changes))
                audit.record_update(
                    Action.USER_UPDATED, user.pk, user_id=user.pk, before=before, after=changes
                )
        except IntegrityError as error:
            raise EmailTakenError(changes["email"]) from error
    return user
