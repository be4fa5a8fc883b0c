"""Puts an agent on a phone number."""

import contextlib

from django.db import transaction

from agents import lifecycle
from agents.models import DEFAULT_DISCLOSURE
from agents.relinking import NumberTakenError
from channels_app import numbers, ownership
from channels_app.models import PhoneNumber
from channels_app.numbers import NumberExistsError


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
    disclosure: str = DEFAULT_DISCLOSURE,
) -> PhoneNumber:
    """
    Register a number or account with an agent; what is registered already is left as it is but the token.

    :raises InvalidNumberError: if a number cannot look like this
    :raises NotTheOwnerError: in production, if the token cannot read the number from Graph
    :raises NumberExistsError: if it is another user's
    :raises PromptNotFoundError: if the user has no such prompt
    """
    # Graph is asked before the transaction: none is held open meanwhile.
    ownership.require(channel=channel, phone_number_id=phone_number_id, access_token=access_token)
    with transaction.atomic():
        number = _number(
            user_id=user_id,
            phone_number_id=phone_number_id,
            type=channel,
            external_number=external_number,
            access_token=access_token,
            display_name=name,
        )
        with contextlib.suppress(NumberTakenError):
            lifecycle.create(
                user_id=user_id,
                phone_number_id=phone_number_id,
                prompt_id=prompt_id,
                name=name,
                fallback_message=fallback_message,
                disclosure=disclosure,
            )
    return number


def _number(*, user_id: str, phone_number_id: str, access_token: str, **fields: str) -> PhoneNumber:
    try:
        return numbers.register(
            user_id=user_id, phone_number_id=phone_number_id, access_token=access_token, **fields
        )
    except NumberExistsError:
        if not PhoneNumber.objects.of(user_id).live().filter(pk=phone_number_id).exists():
            raise
    return numbers.change(phone_number_id=phone_number_id, access_token=access_token)
