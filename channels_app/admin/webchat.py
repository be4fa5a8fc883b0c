"""The admin's pages of web chats."""

from typing import Any

from django.contrib import admin

from channels_app.models import PhoneNumber, WebChat
from channels_app.models.web_chat import MOST_ORIGINS
from channels_app.webchat import chats
from channels_app.webchat.chats import ChatNotFoundError, InvalidSettingError
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page

_ERRORS: dict[type[Exception], str] = {
    InvalidSettingError: "",
    ChatNotFoundError: "This chat was deleted.",
}
_TEXTS = ("title", "subtitle", "welcome_text", "placeholder", "launcher_label")


class SettingsForm(ButtonForm):
    """How a chat looks, and where it may stand."""

    allowed_origins = widgets.long_text(
        "Allowed origins",
        required=False,
        most=MOST_ORIGINS * 256,
        help_text="One origin per line, for example https://shop.example. Leave empty to show the widget "
        "nowhere.",
    )
    title = widgets.text("Title", required=False, most=60)
    subtitle = widgets.text("Subtitle", required=False, most=100)
    welcome_text = widgets.long_text("Welcome", required=False, most=500)
    placeholder = widgets.text("Input placeholder", required=False, most=60)
    launcher_label = widgets.text("Launcher label", required=False, most=40)
    color = widgets.text("Colour", most=7, help_text="For example #1f6feb.")
    position = widgets.choice("Corner", choices=WebChat.Position.choices)
    theme = widgets.choice(
        "Theme", choices=WebChat.Theme.choices, help_text="Auto follows the visitor's device."
    )
    texts = widgets.document(
        "Custom texts", help_text='Texts that replace the widget\'s own, as JSON: {"send": "Go"}.'
    )
    daily_limit = widgets.number(
        "Messages a day", least=0, most=chats.MOST_A_DAY, help_text="All visitors together."
    )


def _initial(chat: WebChat) -> dict[str, Any]:
    values = {name: getattr(chat, name) for name in chats.Settings.__annotations__}
    return values | {"allowed_origins": "\n".join(chat.allowed_origins)}


def _change(press: Press) -> str:
    settings = dict(press.data)
    settings["allowed_origins"] = settings["allowed_origins"].split()
    texts = settings["texts"] or {}
    if not isinstance(texts, dict):
        raise InvalidSettingError("texts", 'The texts must be a JSON object, for example {"send": "Go"}.')
    settings["texts"] = texts
    chats.change(phone_number_id=press.row.pk, **settings)
    return "saved"


def _rotate(press: Press) -> Done:
    secret = chats.rotate_secret(phone_number_id=press.row.pk)
    return Done(f"{press.row.pk} has a new secret.", secret=secret, row=press.row)


def _is_live(chat: WebChat) -> bool:
    return PhoneNumber.objects.live().filter(pk=chat.pk).exists()


@admin.register(WebChat)
class WebChatPage(Page):
    """Web chats, without their secrets."""

    is_audited = True
    list_display = ("phone_number", "title", "allowed_origins", "daily_limit")
    search_fields = ("phone_number__phone_number_id", "title")
    ordering = ("-phone_number",)
    list_select_related = ("phone_number",)
    secret = ("secret",)
    readonly_fields = ("embed_snippet",)
    buttons = (
        Button(
            name="change-web-chat",
            title="Edit",
            permission="channels_app.change_webchat",
            press=_change,
            form=SettingsForm,
            errors=_ERRORS,
            initial=_initial,
            is_offered=_is_live,
            icon="edit",
        ),
        Button(
            name="rotate-web-chat-secret",
            title="New secret",
            permission="channels_app.rotate_webchat",
            press=_rotate,
            errors=_ERRORS,
            is_offered=_is_live,
            icon="key",
            is_dangerous=True,
            explanation="The old secret stops working at once, and sessions of signed-in users end. The "
            "new secret is shown only once, on the next page. Put it on the business's server.",
        ),
    )

    @admin.display(description="embed snippet")
    def embed_snippet(self, row: WebChat) -> str:
        """Show what goes into the business's pages."""
        return chats.embed_snippet(row.pk)
