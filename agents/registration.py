"""Puts an agent on a phone number."""

from django.conf import settings
from django.db import transaction

from agents import directory
from agents.models import Agent
from channels_app import ownership
from channels_app.models import PhoneNumber


@transaction.atomic
def register(
    *,
    user_id: str,
    phone_number_id: str,
    external_number: str,
    access_token: str,
    prompt_id: str,
    name: str,
    fallback_message: str,
    channel: str = PhoneNumber.Type.WHATSAPP,
) -> PhoneNumber:
    """
    Register a number or account with an agent; what is registered already is left as it is but the token.

    :raises NotTheOwnerError: in production, if the token cannot read the number from Graph
    """
    if settings.IS_PRODUCTION:
        ownership.verify(
            phone_number_id=phone_number_id,
            channel=channel,
            access_token=access_token,
        )
    number, _ = PhoneNumber.objects.get_or_create(
        phone_number_id=phone_number_id,
        user_id=user_id,
        defaults={
            "type": channel,
            "external_number": external_number,
            "display_name": name,
        },
    )
    number.set_access_token(access_token)
    number.deleted_at = None
    number.save(update_fields=["access_token", "deleted_at"])
    Agent.objects.get_or_create(
        phone_number=number,
        deleted_at=None,
        defaults={
            "user_id": user_id,
            "prompt_id": prompt_id,
            "name": name,
            "fallback_message": fallback_message,
        },
    )
    directory.drop(user_id=user_id, phone_number_id=phone_number_id)
    return number
