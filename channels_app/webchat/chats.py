"""A number's web chat: made with the number, changed, found by its id; its secret is shown once."""

import re
import secrets
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.db import transaction
from django.utils.html import escape

from billing import audit
from billing.audit import Action
from channels_app.models import PhoneNumber, WebChat
from channels_app.models.web_chat import MOST_ORIGINS
from channels_app.webchat import origins, texts

_COLOR = re.compile(r"#[0-9a-f]{6}")
# The one the demo page has.
DEMO_NUMBER = "web_demo"
MOST_TEXT = 200
MOST_A_DAY = 1_000_000
_UNKNOWN_TEXT = f"`texts` can have only these keys: {', '.join(f'`{key}`' for key in sorted(texts.KEYS))}."
_LENGTHS = {"title": 60, "subtitle": 100, "welcome_text": 500, "placeholder": 60, "launcher_label": 40}


class InvalidSettingError(ValueError):
    """A chat cannot look like this; `field` says which of its settings is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ChatNotFoundError(Exception):
    """There is no such live web chat."""


class Settings(TypedDict, total=False):
    """What may be set of a chat."""

    allowed_origins: list[str]
    title: str
    subtitle: str
    welcome_text: str
    placeholder: str
    launcher_label: str
    color: str
    position: str
    theme: str
    texts: dict[str, str]
    daily_limit: int
    identity_hashes_until: datetime | None


def known(phone_number_id: str) -> WebChat | None:
    """Return a web chat with its number, also a deleted one."""
    return WebChat.objects.select_related("phone_number").filter(pk=phone_number_id).first()


def find(phone_number_id: str) -> WebChat | None:
    """Return the web chat of a live number."""
    chat = known(phone_number_id)
    return chat if chat is not None and chat.phone_number.deleted_at is None else None


def create(number: PhoneNumber) -> str:
    """Make the chat of a number, or give the one it had a new secret; give the secret."""
    chat = WebChat.objects.filter(pk=number.pk).first() or WebChat(
        phone_number=number, title=number.display_name[: _LENGTHS["title"]]
    )
    return _renew_secret(chat)


@transaction.atomic
def change(*, phone_number_id: str, **changes: Unpack[Settings]) -> WebChat:
    """
    Change a live chat's settings, those that are given; `texts` replace all that were set.

    :raises ChatNotFoundError: if there is no such chat
    :raises InvalidSettingError: if it cannot look like this
    :raises TypeError: if a setting is not known
    """
    if unknown := changes.keys() - Settings.__annotations__.keys():
        raise TypeError(f"not to be changed: {sorted(unknown)}")
    chat = _locked(phone_number_id)
    if "identity_hashes_until" in changes:
        _check_identity_hashes(chat, changes["identity_hashes_until"])
    before = audit.snapshot(chat, Settings.__annotations__)
    for name, value in changes.items():
        setattr(chat, name, _checked(name, value))
    chat.save(update_fields=sorted(Settings.__annotations__))
    after = audit.snapshot(chat, Settings.__annotations__)
    user_id = chat.phone_number.user_id
    audit.record_update(Action.WEBCHAT_UPDATED, chat.pk, user_id=user_id, before=before, after=after)
    return chat


@transaction.atomic
def rotate_secret(*, phone_number_id: str) -> str:
    """
    Replace a chat's secret and give the new one; sessions of known users end.

    :raises ChatNotFoundError: if there is no such chat
    """
    chat = _locked(phone_number_id)
    secret = _renew_secret(chat)
    audit.record(Action.WEBCHAT_SECRET_ROTATED, chat.pk, user_id=chat.phone_number.user_id)
    return secret


def embed_snippet(phone_number_id: str) -> str:
    """
    Return the tag that a business puts into its pages.

    It is plain text: a page that shows it has to escape it. A `SafeString` would run where it is shown, and
    `str()` of one is the same `SafeString`.
    """
    url, number = escape(settings.WEBCHAT_WIDGET_URL), escape(phone_number_id)
    return f'<script src="{url}" data-phone-number-id="{number}" async></script>'


def _renew_secret(chat: WebChat) -> str:
    secret = f"wcs_{secrets.token_urlsafe(32)}"
    chat.set_secret(secret)
    chat.save()
    return secret


def _locked(phone_number_id: str) -> WebChat:
    chat = WebChat.objects.select_for_update(no_key=True).filter(pk=phone_number_id).first()
    if chat is None or find(phone_number_id) is None:
        raise ChatNotFoundError(f"there is no web chat {phone_number_id}")
    return chat


def _checked(name: str, value: Any) -> Any:
    if name == "allowed_origins":
        return _checked_origins(value)
    if name == "texts":
        return _checked_texts(value)
    if name == "daily_limit":
        _require(0 <= value <= MOST_A_DAY, name, f"The limit must be from 0 to {MOST_A_DAY}.")
    elif name == "color":
        value = value.lower()
        _require(
            bool(_COLOR.fullmatch(value)),
            name,
            "A colour must be `#` and six hexadecimal digits, such as `#1f6feb`.",
        )
    elif name == "position":
        _require(value in WebChat.Position.values, name, "The position must be `left` or `right`.")
    elif name == "theme":
        _require(value in WebChat.Theme.values, name, "The theme must be `auto`, `light` or `dark`.")
    elif name in _LENGTHS:
        _require(
            len(value) <= _LENGTHS[name], name, f"This text can have at most {_LENGTHS[name]} characters."
        )
    return value


def _check_identity_hashes(chat: WebChat, until: datetime | None) -> None:
    """Check that the grace period of the old identity format is only ever shortened."""
    limit = chat.identity_hashes_until
    is_shorter = until is None or (limit is not None and until <= limit)
    _require(
        is_shorter, "identity_hashes_until", "Send an earlier time, or null. The time cannot be extended."
    )


def _checked_origins(origins_: list[str]) -> list[str]:
    try:
        checked = list(dict.fromkeys(origins.check(origin) for origin in origins_))
    except origins.InvalidOriginError as error:
        raise InvalidSettingError("allowed_origins", str(error)) from error
    _require(
        len(checked) <= MOST_ORIGINS,
        "allowed_origins",
        f"A chat can have at most {MOST_ORIGINS} allowed origins.",
    )
    return checked


def _checked_texts(texts_: dict[str, str]) -> dict[str, str]:
    unknown = sorted(texts_.keys() - texts.KEYS)
    _require(not unknown, "texts", _UNKNOWN_TEXT)
    for text in texts_.values():
        is_fine = isinstance(text, str) and len(text.strip()) > 0 and len(text) <= MOST_TEXT
        _require(is_fine, "texts", f"Each text must have 1 to {MOST_TEXT} characters.")
    return texts_


def _require(condition: bool, field: str, message: str) -> None:  # noqa: FBT001  (a statement about it)
    if not condition:
        raise InvalidSettingError(field, message)
