"""
The second factor of staff: an authenticator app (TOTP), and recovery codes for the day the phone is gone.

`ADMIN_SECOND_FACTOR` is `required`, `optional` (asked of those who have set it up) or `off`. After the
password a session is signed in, but opens no page until a code has verified it.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

import django_otp
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.admin import attempts, sessions
from config.lib import crypto
from config.models import Authenticator, secret_context

RECOVERY_CODES = 10
ISSUER = "AI agents"
# The secret waits here, encrypted, until a code proves that the app has it.
_PENDING = "second_factor_pending"


class WrongCodeError(Exception):
    """The code is neither the app's nor an unused recovery code, or was used before."""


class UnreadableSecretError(Exception):
    """The stored secret was encrypted with a key that FIELD_ENCRYPTION_KEY does not hold any more."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to know: the secret as text, and as a URL for a QR code."""

    secret: str
    url: str


def staff_member(request: HttpRequest) -> User:
    """Return who is signed in; for views that only staff reach."""
    return cast("User", request.user)


def is_satisfied(request: HttpRequest) -> bool:
    """Check whether a signed-in session may open pages."""
    user = staff_member(request)
    if settings.ADMIN_SECOND_FACTOR == "off" or is_verified(request):
        return True
    return settings.ADMIN_SECOND_FACTOR == "optional" and not has_authenticator(user)


def is_verified(request: HttpRequest) -> bool:
    """Check whether a code has verified this session."""
    return getattr(request.user, "otp_device", None) is not None


def has_authenticator(user: User) -> bool:
    """Check whether a user has set up an authenticator app; read once per request."""
    known: bool | None = getattr(user, "_has_authenticator", None)
    if known is None:
        known = Authenticator.objects.filter(user_id=user.pk, confirmed=True).exists()
        user._has_authenticator = known  # type: ignore[attr-defined]  # noqa: SLF001  (kept on the request's user)
    return known


def begin(request: HttpRequest) -> Enrolment:
    """Return the secret of an enrolment, the same one until it is confirmed."""
    user = staff_member(request)
    context = secret_context(user.pk)
    try:
        secret = crypto.decrypt(request.session.get(_PENDING, ""), context=context)
    except crypto.DecryptionError:
        secret = base64.b32encode(secrets.token_bytes(20)).decode()
        request.session[_PENDING] = crypto.encrypt(secret, context=context)
    label = quote(f"{ISSUER}:{user.get_username()}")
    return Enrolment(secret, f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': ISSUER})}")


def confirm(request: HttpRequest, code: str) -> list[str]:
    """
    Finish an enrolment with a code of the app, and return the new recovery codes.

    The authenticator replaces an earlier one, and this session is verified.

    :raises WrongCodeError: if the code is not the app's; the enrolment goes on
    :raises TooManyAttemptsError: if there were too many attempts
    """
    user = staff_member(request)
    attempt = attempts.count(attempts.CODE, name=user.get_username(), request=request)
    sealed = request.session.get(_PENDING)
    if sealed is None:
        raise WrongCodeError
    with transaction.atomic():
        _remove_devices(user)
        device = Authenticator.objects.create(user=user, name="app", key="", secret=sealed)
        if not device.verify_token(_digits(code)):
            raise WrongCodeError
        codes = _make_recovery_codes(user)
        log(user, actor=user, message="Second factor set up.")
    attempt.succeed()
    del request.session[_PENDING]
    _verified_by(request, device)
    return codes


def verify(request: HttpRequest, code: str) -> Authenticator:
    """
    Verify a session with a code of the app, or with a recovery code, which is used up.

    Return the authenticator that the session is then verified by: the app's, so that it stays verified when
    the recovery codes are replaced.

    :raises WrongCodeError: if the code is neither, or was used before
    :raises UnreadableSecretError: if the secret cannot be decrypted
    :raises TooManyAttemptsError: if there were too many attempts
    """
    user = staff_member(request)
    attempt = attempts.count(attempts.CODE, name=user.get_username(), request=request)
    digits = _digits(code)
    is_recovery = not (digits.isdecimal() and len(digits) == 6)
    device = (
        _matched(user, _digest(digits), StaticDevice)
        if is_recovery
        else _matched(user, digits, Authenticator)
    )
    if device is None:
        raise WrongCodeError
    attempt.succeed()
    if is_recovery:
        log(user, actor=user, message="Signed in with a recovery code.")
        device = Authenticator.objects.get(user_id=user.pk, confirmed=True)
    _verified_by(request, device)
    return cast("Authenticator", device)


def renew_recovery_codes(user: User) -> list[str]:
    """Replace the recovery codes and return the new ones, which cannot be read again."""
    with transaction.atomic():
        StaticDevice.objects.filter(user_id=user.pk).delete()
        codes = _make_recovery_codes(user)
        log(user, actor=user, message="Recovery codes replaced.")
    return codes


def recovery_codes_left(user: User) -> int:
    """Count the recovery codes that were not used."""
    return int(StaticToken.objects.filter(device__user_id=user.pk).count())


def reset(user: User, *, actor: User | None) -> None:
    """
    Remove a user's authenticator and recovery codes, and end their sessions.

    Without an `actor`, a command did it.
    """
    with transaction.atomic():
        _remove_devices(user)
        sessions.end_all(user)
        by = "" if actor else " by manage.py reset_second_factor"
        log(user, actor=actor or user, message=f"Second factor reset{by}.")


def log(user: User, *, actor: User, message: str) -> None:
    """Write into the history of a staff account who did what to it."""
    LogEntry.objects.create(
        user_id=actor.pk,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(user.pk),
        object_repr=str(user)[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def _matched(user: User, code: str, model: type[Authenticator | StaticDevice]) -> Any:
    """Return the device that a code belongs to, and use the code up; None if there is none."""
    try:
        with transaction.atomic():
            # Locked, so that of two requests with one code only one succeeds.
            device = model.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
            return device if device is not None and device.verify_token(code) else None
    except crypto.DecryptionError as error:
        raise UnreadableSecretError from error


def _remove_devices(user: User) -> None:
    TOTPDevice.objects.filter(user_id=user.pk).delete()
    StaticDevice.objects.filter(user_id=user.pk).delete()


def _make_recovery_codes(user: User) -> list[str]:
    device = StaticDevice.objects.create(user=user, name="recovery codes")
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_digest(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def _verified_by(request: HttpRequest, device: Authenticator) -> None:
    request.session.cycle_key()
    django_otp.login(request, device)


def _digits(code: str) -> str:
    """Return a code as it is compared: without the spaces and hyphens it is read and written with."""
    return "".join(code.split()).replace("-", "").lower()


def _digest(code: str) -> str:
    """Return what is stored of a recovery code: 64 bits of the hash of 80 random bits."""
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:16]
