"""A business's numbers: registered, changed, and put in a shape in which Graph may be asked for them."""

import re
from typing import TypedDict, Unpack
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing import audit
from billing.audit import Action
from billing.models import User
from channels_app.models import PhoneNumber
from channels_app.webchat import chats
from config.lib import ids, tenancy

# Where Meta's products are; what stands in settings is added to them.
_GRAPH_HOSTS = {"graph.facebook.com", "graph.instagram.com"}
_META_ID = re.compile(r"[0-9]{1,50}")
_META_ID_NEEDED = "Use Meta's id, which has only digits."
_WEB_ID = re.compile(r"web_[A-Za-z0-9_-]{1,46}")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class InvalidNumberError(ValueError):
    """A number cannot look like this; `field` says which of its fields is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidBaseUrlError(InvalidNumberError):
    """It would send the access token to somebody other than Meta."""

    def __init__(self) -> None:
        super().__init__("api_base_url", "Use an address of Meta's Graph API that begins with `https://`.")


class NumberExistsError(Exception):
    """The number is registered already; nobody is told by whom."""


class NumberNotFoundError(Exception):
    """There is no such live number."""


class UserNotFoundError(Exception):
    """There is no such business."""


class Changes(TypedDict, total=False):
    """What may be changed of a number."""

    display_name: str
    external_number: str
    access_token: str
    api_base_url: str
    sender_id: str


_OF_ALARMS = ("alarmed_at", "alarm_code", "alarm_reason")
_AUDITED = ("display_name", "external_number", "api_base_url", "sender_id")


@transaction.atomic
def register(
    *,
    user_id: str,
    type: str,  # noqa: A002  (the column's name)
    external_number: str,
    phone_number_id: str = "",
    access_token: str = "",
    display_name: str = "",
    api_base_url: str = "",
    sender_id: str = "",
) -> PhoneNumber:
    """
    Register a number; one the same user had deleted is theirs again.

    What customers wrote before stays unanswered. Whose number it is has been verified by the caller: no
    transaction may be open while Graph is asked. A web chat without an id gets one; its secret, which is
    never shown again, is the `new_secret` of what is returned.

    :raises InvalidNumberError: if it cannot look like this; InvalidBaseUrlError for its `api_base_url`
    :raises NumberExistsError: if it is registered, or was registered by another user
    :raises UserNotFoundError: if there is no such user
    :raises TenantMissingError: if `user_id` is empty
    """
    tenancy.required(user_id)
    if type == PhoneNumber.Type.WEBCHAT and not phone_number_id:
        phone_number_id = ids.new("web")
    check(
        type=type,
        phone_number_id=phone_number_id,
        access_token=access_token,
        api_base_url=api_base_url,
        sender_id=sender_id,
    )
    if not User.objects.filter(pk=user_id).exists():
        raise UserNotFoundError(f"there is no user {user_id}")
    number = _registrable(phone_number_id, user_id)
    number.type = type
    number.external_number = external_number
    number.display_name = display_name
    number.api_base_url = api_base_url.rstrip("/")
    number.sender_id = sender_id
    _put_token(number, access_token)
    try:
        with transaction.atomic():
            number.save(force_insert=number._state.adding)  # noqa: SLF001  (Django's documented flag)
    except IntegrityError as error:
        raise NumberExistsError("this number is registered already") from error
    if type == PhoneNumber.Type.WEBCHAT:
        number.new_secret = chats.create(number)
    changes = audit.difference({}, audit.snapshot(number, ("type", *_AUDITED)))
    audit.record(Action.PHONE_NUMBER_ADDED, number.pk, user_id=user_id, changes=changes)
    return number


def change(*, phone_number_id: str, **changes: Unpack[Changes]) -> PhoneNumber:
    """
    Change a live number's fields, those that are given.

    :raises InvalidNumberError: if it cannot look like this; InvalidBaseUrlError for its `api_base_url`
    :raises NumberNotFoundError: if there is no such live number
    :raises TypeError: if a field may not be changed
    """
    if unknown := changes.keys() - Changes.__annotations__.keys():
        raise TypeError(f"not to be changed: {sorted(unknown)}")
    with transaction.atomic():
        live = PhoneNumber.objects.live().select_for_update(no_key=True)
        number = live.filter(pk=phone_number_id).first()
        if number is None:
            raise NumberNotFoundError(f"there is no number {phone_number_id}")
        check(
            type=number.type,
            phone_number_id=number.phone_number_id,
            access_token=changes.get("access_token", number.access_token),
            api_base_url=changes.get("api_base_url", ""),
            sender_id=changes.get("sender_id", ""),
        )
        before = audit.snapshot(number, _AUDITED)
        if "access_token" in changes:
            _put_token(number, changes["access_token"])
            # The alarm was about the old token. An error of the new one is reported at once.
            number.alarmed_at, number.alarm_code, number.alarm_reason = None, "", ""
        number.display_name = changes.get("display_name", number.display_name)
        number.external_number = changes.get("external_number", number.external_number)
        number.api_base_url = changes.get("api_base_url", number.api_base_url).rstrip("/")
        number.sender_id = changes.get("sender_id", number.sender_id)
        number.save(update_fields=[*sorted(Changes.__annotations__), *_OF_ALARMS])
        _record_change(number, before, has_new_token="access_token" in changes)
    return number


def _record_change(number: PhoneNumber, before: dict[str, str], *, has_new_token: bool) -> None:
    """Write the change into the audit log; a token that is put in counts as new, even if it is the same."""
    after = audit.snapshot(number, _AUDITED)
    audit.record_update(
        Action.PHONE_NUMBER_UPDATED, number.pk, user_id=number.user_id, before=before, after=after
    )
    if has_new_token:
        audit.record(Action.PHONE_NUMBER_TOKEN_ROTATED, number.pk, user_id=number.user_id)


def check(
    *,
    type: str,  # noqa: A002  (the column's name)
    phone_number_id: str,
    access_token: str,
    api_base_url: str = "",
    sender_id: str = "",
) -> None:
    """
    Check what of a number goes into requests to Graph; also for whoever asks Graph before registering it.

    :raises InvalidNumberError: if it cannot look like this; InvalidBaseUrlError for its `api_base_url`
    """
    if type not in PhoneNumber.Type.values:
        raise InvalidNumberError(
            "type", f"The type must be one of {', '.join(f'`{kind}`' for kind in PhoneNumber.Type.values)}."
        )
    if type == PhoneNumber.Type.WEBCHAT:
        if not _WEB_ID.fullmatch(phone_number_id):
            raise InvalidNumberError(
                "phone_number_id",
                "The id of a web chat must be `web_` followed by letters, digits, `_` or `-`.",
            )
    elif not _META_ID.fullmatch(phone_number_id):
        raise InvalidNumberError("phone_number_id", _META_ID_NEEDED)
    elif not access_token:
        raise InvalidNumberError("access_token", "Send an `access_token`: this channel needs one.")
    if not (access_token.isascii() and access_token.isprintable()):
        raise InvalidNumberError("access_token", "An access token can contain only visible ASCII characters.")
    if sender_id and not _META_ID.fullmatch(sender_id):
        raise InvalidNumberError("sender_id", _META_ID_NEEDED)
    if api_base_url:
        _check_base_url(api_base_url)


def _check_base_url(url: str) -> None:
    """Check that a base URL is Meta's or the one of the settings: the token goes nowhere else."""
    try:
        parts = urlsplit(url)
        origin = _origin(parts)
        is_clean = parts.netloc.lower() in {parts.hostname, f"{parts.hostname}:{parts.port}"}
    except ValueError as error:
        raise InvalidBaseUrlError from error
    configured = [
        _origin(urlsplit(base)) for base in (settings.WHATSAPP_API_BASE_URL, settings.INSTAGRAM_API_BASE_URL)
    ]
    hosts = _GRAPH_HOSTS | {host for _, host, _ in configured if host}
    is_graph = origin in configured or (origin[0] == "https" and origin[1] in hosts and origin[2] == 443)
    is_plain = url.isascii() and url.isprintable() and len(url) <= 200 and "?" not in url and "#" not in url
    if not (is_graph and is_clean and is_plain and _BASE_PATH.fullmatch(parts.path.rstrip("/"))):
        raise InvalidBaseUrlError


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _registrable(phone_number_id: str, user_id: str) -> PhoneNumber:
    """Return a new row, or the business's own deleted one, locked and reset."""
    number = PhoneNumber.objects.select_for_update(no_key=True).filter(pk=phone_number_id).first()
    if number is None:
        return PhoneNumber(phone_number_id=phone_number_id, user_id=user_id)
    if number.deleted_at is None or number.user_id != user_id:
        raise NumberExistsError("this number is registered already")
    number.deleted_at = None
    number.created_at = timezone.now()
    return number


def _put_token(number: PhoneNumber, token: str) -> None:
    if token:
        number.set_access_token(token)
    else:
        number.access_token = ""
