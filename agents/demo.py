"""
The demo business: what a fresh checkout has to play with (idempotent).

Its API keys and the staff user's password are random, belong to this checkout and are stored below DATA_DIR.
"""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User as Staff
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents.models import Prompt, PromptVersion
from agents.registration import register
from billing import keys, ledger
from billing.models import ApiKey, Credit, User
from channels_app.models import PhoneNumber
from channels_app.webchat import chats
from config.lib import demo_credentials, local_secrets

USER_ID = "usr_demo"
PROMPT_ID = "prm_demo"
PHONE_NUMBER_ID = "109876543210987"
PHONE_NUMBER = "+12025550100"
# The simulator writes to these by itself.
_NUMBERS = (
    (PHONE_NUMBER_ID, PHONE_NUMBER, PhoneNumber.Type.WHATSAPP),
    ("17841400000000001", "@demo.bakery", PhoneNumber.Type.INSTAGRAM),
    (chats.DEMO_NUMBER, "", PhoneNumber.Type.WEBCHAT),
)
FALLBACK_MESSAGE = "Sorry, I can't answer right now. Please try again in a few minutes."
CREDITS = 1000

INSTRUCTIONS = """\
You answer customers of the Demo Bakery on WhatsApp. Be short, friendly and concrete.
We are open Monday to Saturday from 7 to 18. If you do not know something, say so."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What a newcomer needs to know of it."""

    user_id: str
    api_key: str
    operator_key: str
    phone_number_id: str
    display_phone_number: str
    staff_login: str


@transaction.atomic
def seed() -> Demo:
    """Make the demo business, or find it as it was made."""
    user, _ = User.objects.get_or_create(
        user_id=USER_ID, defaults={"email": "demo@example.com", "company_name": "Demo Bakery"}
    )
    Credit.objects.get_or_create(user=user)
    ledger.grant(user_id=user.user_id, amount=CREDITS, reference="demo", reason="to play with")
    prompt, is_new = Prompt.objects.get_or_create(
        prompt_id=PROMPT_ID, defaults={"user": user, "name": "Demo Bakery"}
    )
    if is_new:
        PromptVersion.objects.create(prompt=prompt, number=1, instructions=INSTRUCTIONS)
    for number_id, external, channel in _NUMBERS:
        register(
            user_id=user.user_id,
            phone_number_id=number_id,
            external_number=external,
            # The simulator takes any.
            access_token="" if channel == PhoneNumber.Type.WEBCHAT else "demo-access-token",
            prompt_id=prompt.prompt_id,
            name="Demo Bakery",
            fallback_message=FALLBACK_MESSAGE,
            channel=channel,
            # Nobody but the developer talks to it, and its replies are quoted in the documentation.
            disclosure="",
        )
    _let_web_chat_stand_here()
    return Demo(
        user_id=user.user_id,
        api_key=_api_key(
            demo_credentials.KEY_PREFIX, secret=demo_credentials.KEY_SECRET, user_id=user.user_id
        ),
        operator_key=_api_key(
            demo_credentials.OPERATOR_KEY_PREFIX, secret=demo_credentials.OPERATOR_KEY_SECRET, user_id=None
        ),
        phone_number_id=PHONE_NUMBER_ID,
        display_phone_number=PHONE_NUMBER,
        staff_login=_staff_login(),
    )


def _let_web_chat_stand_here() -> None:
    """Allow the demo's web chat on pages of this machine, unless its origins are set already."""
    chat = chats.known(chats.DEMO_NUMBER)
    if settings.IS_PRODUCTION or chat is None or chat.allowed_origins:
        return
    ports = (settings.API_PORT, settings.SIMULATOR_PORT, 8000)
    chats.change(
        phone_number_id=chats.DEMO_NUMBER,
        allowed_origins=[f"http://{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports],
        title="Demo Bakery",
        subtitle="Typically replies instantly",
        color="#a8470f",
        welcome_text="Hello! Ask us about bread, cakes and opening hours.",
    )


@transaction.atomic
def remove_credentials() -> list[str]:
    """
    Revoke the demo's API keys and lock its staff user; return what was done (idempotent).

    The business and its data stay, and so does the trail of what the staff user changed.
    """
    prefixes = (demo_credentials.KEY_PREFIX, demo_credentials.OPERATOR_KEY_PREFIX)
    done = []
    for key in ApiKey.objects.select_for_update().filter(prefix__in=prefixes, revoked_at=None):
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        done.append(f"Revoked the API key `{key.prefix}`.")
    for staff in Staff.objects.filter(username=demo_credentials.STAFF_USER, is_active=True):
        staff.is_active = staff.is_staff = staff.is_superuser = False
        staff.set_unusable_password()
        staff.save()
        done.append(f"Locked the staff user `{staff.username}`.")
    return done


def other_keys() -> list[str]:
    """Return the prefixes of working keys that may have been created with the demo's keys."""
    prefixes = (demo_credentials.KEY_PREFIX, demo_credentials.OPERATOR_KEY_PREFIX)
    keys = ApiKey.objects.filter(Q(user=None) | Q(user_id=USER_ID)).exclude(prefix__in=prefixes)
    return [key.prefix for key in keys.order_by("created_at") if key.works(timezone.now())]


def _api_key(prefix: str, *, secret: str, user_id: str | None) -> str:
    """Return this checkout's key; one that an earlier version or another checkout stored stops working."""
    key = local_secrets.get(settings.DATA_DIR, secret, lambda: f"mcak_{prefix}_{local_secrets.token()}")
    keys.replace(key, user_id=user_id, name="demo")
    return key


def _staff_login() -> str:
    """Create the demo's superuser, in development only; return name and password."""
    if settings.APP_ENV != "development":
        return ""
    name = demo_credentials.STAFF_USER
    password = local_secrets.get(
        settings.DATA_DIR, demo_credentials.STAFF_PASSWORD, lambda: local_secrets.token()[:16]
    )
    staff, _ = Staff.objects.get_or_create(username=name)
    if not staff.check_password(password) or not staff.is_active:
        staff.set_password(password)
        staff.is_active = staff.is_staff = staff.is_superuser = True
        staff.save()
    return f"{name} / {password}"
