"""An authenticator app for tests."""

import base64
import re
import time

from django.contrib.auth.models import User
from django_otp.oath import TOTP

from config.models import Authenticator


def secret_on(content: str) -> str:
    """Return the secret that the set-up page shows."""
    found = re.search(r'id="secret">([^<]+)<', content)
    assert found
    return found[1].replace(" ", "")


def code_for(secret: str, *, steps: int = 0) -> str:
    """Return the code that an app with this secret shows now, or `steps` half minutes from now."""
    totp = TOTP(base64.b32decode(secret))
    totp.time = time.time() + steps * 30
    return f"{totp.token():06d}"


def code_of(user: User, *, steps: int = 0) -> str:
    """Return the code of the app that a user has set up."""
    device = Authenticator.objects.get(user=user)
    return code_for(base64.b32encode(device.bin_key).decode(), steps=steps)
