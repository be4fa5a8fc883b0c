"""Deletes a phone number: nobody answers there any more, and the talks on it end."""

from django.db import transaction
from django.db.models.functions import Now

from agents import relinking
from agents.models import Agent
from billing import audit
from billing.audit import Action
from channels_app import number_secrets
from channels_app.models import PhoneNumber
from channels_app.numbers import NumberNotFoundError
from config.lib import locks
from config.lib.locks import Lock


@transaction.atomic
def remove(*, phone_number_id: str) -> None:
    """
    Hide a number, leave its agent without one, and wipe its token once no turn and no delivery needs it.

    What customers write from now on waits, as for a number nobody registered. A second time does nothing.

    :raises NumberNotFoundError: if there never was such a number
    """
    number = PhoneNumber.objects.select_for_update(no_key=True).filter(pk=phone_number_id).first()
    if number is None:
        raise NumberNotFoundError(f"there is no number {phone_number_id}")
    present = (
        Agent.objects.live().select_for_update(no_key=True).filter(phone_number_id=phone_number_id).first()
    )
    # Claims stand still from here to the commit, after which none opens a turn that would need the token.
    locks.take(Lock.CLAIM, phone_number_id)
    if present:
        relinking.leave(present)
        Agent.objects.filter(pk=present.pk).update(phone_number=None)
    if PhoneNumber.objects.live().filter(pk=phone_number_id).update(deleted_at=Now()):
        audit.record(Action.PHONE_NUMBER_DELETED, phone_number_id, user_id=number.user_id)
    number_secrets.wipe(phone_number_id=phone_number_id)
