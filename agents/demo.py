"""The demo business: what a fresh checkout has to play with. The same however often it is made."""

import hashlib
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from agents import directory
from agents.models import Agent, Prompt, PromptVersion
from billing import keys, ledger
from billing.models import ApiKey, Credit, User
from channels_app.models import PhoneNumber

PHONE_NUMBER_ID = "109876543210987"
CREDITS = 1000

INSTRUCTIONS = """\
You answer customers of the Demo Bakery on WhatsApp. Be short, friendly and concrete.
We are open Monday to Saturday from 7 to 18. If you do not know something, say so."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What a newcomer needs to know of it."""

    user_id: str
    api_key: str
    phone_number_id: str
    display_phone_number: str


@transaction.atomic
def seed() -> Demo:
    """Make the demo business, or find it as it was made."""
    user, _ = User.objects.get_or_create(
        user_id="usr_demo", defaults={"email": "demo@example.com", "company_name": "Demo Bakery"}
    )
    Credit.objects.get_or_create(user=user)
    ledger.grant(user_id=user.user_id, amount=CREDITS, reference="demo", reason="to play with")
    number = _number(user)
    prompt, is_new = Prompt.objects.get_or_create(
        prompt_id="prm_demo", defaults={"user": user, "name": "Demo Bakery"}
    )
    if is_new:
        PromptVersion.objects.create(prompt=prompt, number=1, instructions=INSTRUCTIONS)
    _agent(user, number, prompt)
    return Demo(user.user_id, _api_key(user), number.phone_number_id, number.external_number)


def _number(user: User) -> PhoneNumber:
    found = PhoneNumber.objects.filter(pk=PHONE_NUMBER_ID).first()
    if found:
        return found
    number = PhoneNumber(
        phone_number_id=PHONE_NUMBER_ID,
        user=user,
        type=PhoneNumber.Type.WHATSAPP,
        external_number="+12025550100",
        display_name="Demo Bakery",
    )
    number.set_access_token("demo-access-token")
    number.save()
    return number


def _agent(user: User, number: PhoneNumber, prompt: Prompt) -> None:
    Agent.objects.get_or_create(
        phone_number=number,
        deleted_at=None,
        defaults={
            "user": user,
            "prompt_id": prompt.prompt_id,
            "name": "Demo agent",
            "fallback_message": "Sorry, I can't answer right now. Please try again in a few minutes.",
        },
    )
    directory.drop(user_id=user.user_id, phone_number_id=number.phone_number_id)


def _api_key(user: User) -> str:
    """Derive the demo key, so that it can be shown again although only its hash is kept."""
    key = f"mcak_demo_{hashlib.sha256(settings.SECRET_KEY.encode()).hexdigest()[:43]}"
    if not ApiKey.objects.filter(prefix="demo").exists():
        keys.register(key, user_id=user.user_id, name="demo")
    return key
